import { afterEach, expect, test } from 'vitest'
import { Shop } from './testing/shop.ts'

let shop: Shop
afterEach(() => shop.close())

/** Ctrl-C, as the program hears it. */
function interrupt(): void {
  process.emit('SIGINT')
}

test('the output of all, each line behind a name, until the last has ended', async () => {
  shop = await Shop.open(`
services:
  job: {image: app, command: exit 3 bye}
  web: {image: app, container_name: shop-web, command: say hello}
  quiet: {image: app, attach: false, command: exit 0 unheard}
`)
  const up = shop.run('up')
  await shop.docker.until(() => shop.docker.names('running').includes('shop-web'))
  shop.docker.write(shop.docker.find('shop-web'), 'one\ntw', 'stderr')
  shop.docker.write(shop.docker.find('shop-web'), 'o\nrest', 'stderr')
  shop.docker.end(shop.docker.find('shop-web'), 0)
  const { code, out, err } = await up
  expect(code).toBe(0)
  expect(out).toContain('job-1    | bye\n')
  expect(out).toContain('job-1    | exited with code 3\n')
  expect(out).toContain('shop-web | hello\n')
  expect(err).toContain('shop-web | one\nshop-web | two\nshop-web | rest\n')
  expect(out).not.toContain('unheard')
})

test('Ctrl-C stops dependents first, and ends with 130', async () => {
  shop = await Shop.open('services: {web: {image: app, depends_on: [db]}, db: {image: app}}')
  const up = shop.run('up')
  await shop.docker.until(() => shop.docker.names('running').length === 2)
  interrupt()
  const { code, err } = await up
  expect(code).toBe(130)
  expect(err).toContain('Gracefully stopping...')
  const stops = shop.docker.changes.filter((change) => change.endsWith('/stop'))
  expect(stops).toEqual(['web', 'db'].map((name) => `POST /containers/${shop.docker.find(`shop-${name}-1`).id}/stop`))
  expect(process.listenerCount('SIGINT')).toBe(0)
})

test('Ctrl-C ends although a container crashes again and again', async () => {
  shop = await Shop.open('services: {web: {image: app}, bad: {image: app, restart: always, command: crash}}')
  const up = shop.run('up')
  await shop.docker.until(() => shop.docker.names('running').includes('shop-web-1'))
  await shop.docker.until(() => shop.docker.names('restarting').includes('shop-bad-1'))
  interrupt()
  expect((await up).code).toBe(130)
  expect(shop.docker.names('exited')).toEqual(['shop-bad-1', 'shop-web-1'])
})

test('a second Ctrl-C kills what does not stop', async () => {
  shop = await Shop.open('services: {web: {image: app}}')
  shop.docker.beforeAnswer = ({ path }) => {
    if (path.endsWith('/stop')) interrupt()
  }
  const up = shop.run('up')
  await shop.docker.until(() => shop.docker.names('running').length === 1)
  interrupt()
  expect((await up).code).toBe(130)
  const isKill = ({ path }: { path: string }) => path.endsWith('/kill')
  await expect.poll(() => shop.docker.requests.some(isKill), { timeout: 20_000 }).toBe(true)
})

test.each([
  ['--abort-on-container-exit', 'exit 0', 0],
  ['--abort-on-container-exit', 'exit 5', 5],
  ['--abort-on-container-failure', 'exit 5', 5],
])('%s: all ends when a container does "%s"', async (flag, command, expected) => {
  shop = await Shop.open(`services: {web: {image: app}, job: {image: app, command: ${command}}}`)
  const { code, err } = await shop.run('up', flag)
  expect(code).toBe(expected)
  expect(err).toContain(`Aborting on container ${flag.split('-').at(-1)}...`)
  expect(shop.docker.names('running')).toEqual([])
})

test('--abort-on-container-failure: a container that ends well ends nothing', async () => {
  shop = await Shop.open('services: {web: {image: app}, job: {image: app, command: exit 0}}')
  const up = shop.run('up', '--abort-on-container-failure')
  await shop.docker.until(() => shop.docker.names('exited').length === 1 && shop.docker.names('running').length === 1)
  shop.docker.end(shop.docker.find('shop-web-1'), 0)
  expect((await up).code).toBe(0)
})

test('--exit-code-from: whatever ended first, the code is that of the named service', async () => {
  shop = await Shop.open('services: {test: {image: app}, job: {image: app, command: exit 5}}')
  expect((await shop.run('up', '--exit-code-from', 'test')).code).toBe(143)
  expect((await shop.run('up', '--exit-code-from', 'nope')).error?.message).toContain('no such service: nope')
})

test('--exit-code-from: Ctrl-C is Ctrl-C all the same', async () => {
  shop = await Shop.open('services: {test: {image: app}}')
  const up = shop.run('up', '--exit-code-from', 'test')
  await shop.docker.until(() => shop.docker.names('running').length === 1)
  interrupt()
  expect((await up).code).toBe(130)
})

test('a container that cannot be started is an error, and nobody is followed any more', async () => {
  shop = await Shop.open('services: {web: {image: app}, bad: {image: app, depends_on: [web]}}')
  shop.docker.beforeAnswer = ({ path }) => {
    if (
      path ===
      `/containers/${shop.docker.names().includes('shop-bad-1') ? shop.docker.find('shop-bad-1').id : ''}/start`
    )
      shop.docker.refuse(500, 'no such program')
  }
  expect((await shop.run('up')).error?.message).toContain('no such program')
})
