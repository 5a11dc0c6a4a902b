import { afterEach, describe, expect, test } from 'vitest'
import { parseMoment } from './log-stream.ts'
import { Shop } from './testing/shop.ts'

/** For a machine that is busy with something else. */
const patient = { timeout: 20_000 }

test.each([
  ['10m', 1_000_000 - 600],
  ['1h30m', 1_000_000 - 5400],
  ['1234.5', 1234.5],
  ['1970-01-01T00:00:01Z', 1],
])('%s', (text, seconds) => {
  expect(parseMoment(text, 1_000_000_000)).toBe(seconds)
})

describe('logs', () => {
  let shop: Shop
  afterEach(() => shop.close())

  test('of all services, or of some; what the engine selects is asked for', async () => {
    shop = await Shop.open('services: {a: {image: app, command: say one}, b: {image: app, command: say two, scale: 2}}')
    await shop.run('up', '-d')
    expect((await shop.run('logs')).out).toBe('a-1 | one\nb-1 | two\nb-2 | two\n')
    expect((await shop.run('logs', '--no-log-prefix', 'b')).out).toBe('two\ntwo\n')
    await shop.run('logs', '-t', '-n', '5', '--since', '2024-01-01T00:00:00Z', '--until', '2025-01-01T00:00:00Z', 'a')
    const { query } = shop.docker.requests.findLast(({ path }) => path.endsWith('/logs')) ?? {}
    expect(Object.fromEntries(query ?? [])).toEqual({
      stdout: '1',
      stderr: '1',
      follow: '0',
      tail: '5',
      timestamps: '1',
      since: '1704067200',
      until: '1735689600',
    })
  })

  test('a name of its own is shown whole, even if it begins like the project', async () => {
    shop = await Shop.open('services: {a: {image: app, container_name: shop-a-main, command: say one}}')
    await shop.run('up', '-d')
    expect((await shop.run('logs')).out).toBe('shop-a-main | one\n')
  })

  test('-f follows through a restart, and what is started later, until none of them is up', async () => {
    shop = await Shop.open('services: {a: {image: app}, b: {image: app}}')
    await shop.run('create')
    const [a, b] = ['shop-a-1', 'shop-b-1'].map((name) => shop.docker.find(name))
    if (!a || !b) throw new Error('they were not made')
    await shop.run('start', 'a')
    const follow = shop.run('logs', '-f')
    await expectLogsOf(a.id)
    shop.docker.write(a, 'first\n')
    shop.docker.start(b)
    await expectLogsOf(b.id)
    shop.docker.write(b, 'other\n')
    shop.docker.end(a, 1)
    shop.docker.end(b, 0)
    const { out } = await follow
    expect(out).toContain('a-1 | first\n')
    expect(out).toContain('b-1 | other\n')
    expect(out).toContain('a-1 | exited with code 1\n')
  })

  /** Until the log of that container is being followed. */
  async function expectLogsOf(id: string): Promise<void> {
    await expect
      .poll(
        () =>
          shop.docker.requests.some(
            ({ path, query }) => path === `/containers/${id}/logs` && query.get('follow') === '1',
          ),
        patient,
      )
      .toBe(true)
  }

  test('a terminal’s output has no frames', async () => {
    shop = await Shop.open('services: {a: {image: app, tty: true, command: say plain}}')
    await shop.run('up', '-d')
    expect((await shop.run('logs')).out).toBe('a-1 | plain\n')
  })
})
