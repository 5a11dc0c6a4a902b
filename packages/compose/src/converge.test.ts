import { afterEach, describe, expect, test } from 'vitest'
import { Shop } from './testing/shop.ts'

let shop: Shop
afterEach(() => shop.close())

const twoServices = 'services: {web: {image: app, depends_on: [db]}, db: {image: app}}'

test('up makes networks, volumes and containers, and starts what others need first', async () => {
  shop = await Shop.open(`
services:
  web: {image: app, depends_on: [db], ports: ["8080:80"]}
  db: {image: app, volumes: ["data:/data"]}
volumes: {data: {}}
`)
  const { code, err } = await shop.run('up', '-d')
  expect(code).toBe(0)
  expect(err).toContain('Container shop-web-1')
  expect(shop.docker.changes).toEqual([
    'POST /networks/create',
    'POST /volumes/create',
    'POST /containers/create',
    'POST /containers/create',
    ...['db', 'web'].map((name) => `POST /containers/${shop.docker.find(`shop-${name}-1`).id}/start`),
  ])
  expect(shop.docker.find('shop-db-1').body.HostConfig.Mounts).toMatchObject([{ Source: 'shop_data', Target: '/data' }])
})

test('again, it leaves alone what is right, and replaces what has changed under its own number', async () => {
  shop = await Shop.open(twoServices)
  await shop.run('up', '-d')
  const [web, db] = ['shop-web-1', 'shop-db-1'].map((name) => shop.docker.find(name).id)
  await shop.run('up', '-d')
  expect(shop.docker.find('shop-web-1').id).toBe(web)
  shop.put('compose.yaml', 'services: {web: {image: app, command: serve more, depends_on: [db]}, db: {image: app}}')
  await shop.run('up', '-d')
  expect(shop.docker.find('shop-web-1').id).not.toBe(web)
  expect(shop.docker.find('shop-db-1').id).toBe(db)
  expect(shop.docker.names('running')).toEqual(['shop-db-1', 'shop-web-1'])
})

test.each([
  [['--force-recreate'], { web: 'new', db: 'new' }],
  [['--force-recreate', 'web'], { web: 'new', db: 'same' }],
  [['--always-recreate-deps', 'web'], { web: 'same', db: 'new' }],
  [['-V'], { web: 'new', db: 'new' }],
  [['-V', 'web'], { web: 'new', db: 'same' }],
  [[], { web: 'same', db: 'same' }],
])('up %j', async (words, expected) => {
  shop = await Shop.open(twoServices)
  await shop.run('up', '-d')
  const before = Object.fromEntries(['web', 'db'].map((name) => [name, shop.docker.find(`shop-${name}-1`).id]))
  expect((await shop.run('up', '-d', ...words)).code).toBe(0)
  const after = ['web', 'db'].map((name) => [
    name,
    shop.docker.find(`shop-${name}-1`).id === before[name] ? 'same' : 'new',
  ])
  expect(Object.fromEntries(after)).toEqual(expected)
})

test('a replaced container keeps its anonymous volumes, unless they are to be new', async () => {
  shop = await Shop.open('services: {web: {image: app, volumes: [/cache]}}')
  const volume = () => shop.docker.find('shop-web-1').body.HostConfig.Mounts?.[0]?.Source
  await shop.run('up', '-d')
  expect(volume()).toBeUndefined()
  await shop.run('up', '-d', '--force-recreate')
  expect(volume()).toMatch(/^[0-9a-f]{64}$/)
  await shop.run('up', '-d', '-V')
  expect(volume()).toBeUndefined()
})

test('what shares a namespace, or is linked, is stopped and started with what it depends on', async () => {
  const file = (command: string) => `
services:
  db: {image: app, command: ${command}}
  side: {image: app, network_mode: "service:db"}
  linked: {image: app, links: [db]}
  sharing: {image: app, volumes_from: [db]}
  lone: {image: app}
`
  shop = await Shop.open(file('serve'))
  await shop.run('up', '-d')
  const lone = shop.docker.find('shop-lone-1').startedAt
  const [linked, side] = ['linked', 'side'].map((name) => shop.docker.find(`shop-${name}-1`))
  shop.put('compose.yaml', file('serve again'))
  await shop.run('up', '-d')
  // The name of the container stays, so its definition does not change: it is the link that is made anew.
  expect(shop.docker.find('shop-linked-1').id).toBe(linked?.id)
  expect(shop.docker.changes).toContain(`POST /containers/${linked?.id}/stop`)
  expect(shop.docker.find('shop-side-1').id).not.toBe(side?.id)
  expect(shop.docker.find('shop-lone-1').startedAt).toBe(lone)
  expect(shop.docker.names('running')).toHaveLength(5)
})

test('restart takes along what wants to be restarted with it', async () => {
  shop = await Shop.open('services: {db: {image: app}, side: {image: app, pid: "service:db"}, lone: {image: app}}')
  await shop.run('up', '-d')
  const before = Object.fromEntries(shop.docker.names().map((name) => [name, shop.docker.find(name).startedAt]))
  await shop.run('restart', 'db')
  const changed = shop.docker.names().filter((name) => shop.docker.find(name).startedAt !== before[name])
  expect(changed).toEqual(['shop-db-1', 'shop-side-1'])
})

describe('scale', () => {
  test('more, and fewer: the highest numbers go', async () => {
    shop = await Shop.open('services: {web: {image: app, scale: 2}}')
    await shop.run('up', '-d')
    expect(shop.docker.names()).toEqual(['shop-web-1', 'shop-web-2'])
    await shop.run('up', '-d', '--scale', 'web=3')
    expect(shop.docker.names('running')).toEqual(['shop-web-1', 'shop-web-2', 'shop-web-3'])
    await shop.run('up', '-d', '--scale', 'web=1')
    expect(shop.docker.names()).toEqual(['shop-web-1'])
  })

  test.each([
    ['web', '--scale takes SERVICE=NUMBER'],
    ['nope=2', 'no such service: nope'],
    ['named=2', 'using the custom container name "own"'],
  ])('%s is refused', async (scale, message) => {
    shop = await Shop.open('services: {web: {image: app}, named: {image: app, container_name: own}}')
    expect((await shop.run('up', '-d', '--scale', scale)).error?.message).toContain(message)
    expect(shop.docker.containers.size).toBe(0)
  })
})

describe('secrets and configs', () => {
  test('texts are put into the container, with their owner and mode', async () => {
    shop = await Shop.open(`
services:
  web:
    image: app
    secrets: [{source: token, uid: "103", gid: "104", mode: 0400}]
    configs: [{source: conf, target: /etc/app.conf}]
secrets: {token: {environment: SHOP_TOKEN}}
configs: {conf: {content: "a=1"}}
`)
    process.env['SHOP_TOKEN'] = 't0k'
    try {
      expect((await shop.run('up', '-d')).error).toBeUndefined()
    } finally {
      delete process.env['SHOP_TOKEN']
    }
    const [secret, config] = shop.docker.uploads
    expect(secret?.files).toEqual([
      { name: 'run/secrets/token', type: 'file', mode: 0o400, uid: 103, gid: 104, text: 't0k' },
    ])
    expect(secret?.query.get('copyUIDGID')).toBe('true')
    expect(config?.files[0]).toMatchObject({ name: 'etc/app.conf', mode: 0o444, uid: 0, text: 'a=1' })
    expect(config?.query.has('copyUIDGID')).toBe(false)
  })

  test('a container whose secret cannot be put there does not stay', async () => {
    shop = await Shop.open('services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: x}}')
    shop.docker.beforeAnswer = ({ method }) => method === 'PUT' && shop.docker.refuse(400, 'no room')
    expect((await shop.run('up', '-d')).error?.message).toContain('no room')
    expect(shop.docker.containers.size).toBe(0)
  })

  test.each([
    ['secrets: {s: {environment: NOT_SET}}', '', 'NOT_SET is not set'],
    ['secrets: {s: {external: true}}', '', 'unsupported external secret s'],
    ['secrets: {s: {environment: HOME}}', 'read_only: true, ', 'into a read-only service'],
  ])('%s %s', async (secrets, more, message) => {
    shop = await Shop.open(`services: {web: {image: app, ${more}secrets: [s]}}\n${secrets}`)
    expect((await shop.run('up', '-d')).error?.message).toContain(message)
    expect(shop.docker.changes).toEqual([])
  })
})

test('a replacement that cannot be made leaves the old container as it is', async () => {
  shop = await Shop.open(twoServices)
  await shop.run('up', '-d')
  const { id } = shop.docker.find('shop-web-1')
  shop.docker.beforeAnswer = ({ path }) => path === '/containers/create' && shop.docker.refuse(409, 'no more')
  const { error } = await shop.run('up', '-d', '--force-recreate', 'web')
  expect(error?.message).toContain('no more')
  expect(shop.docker.find('shop-web-1')).toMatchObject({ id, state: 'running' })
})

test('a replacement that was interrupted is finished by the next run', async () => {
  shop = await Shop.open(twoServices)
  await shop.run('up', '-d')
  shop.docker.find('shop-web-1').name = 'abc_shop-web-1'
  await shop.run('up', '-d')
  expect(shop.docker.names()).toEqual(['shop-db-1', 'shop-web-1'])
})

test('orphans are told of, and go when they are to', async () => {
  shop = await Shop.open(twoServices)
  await shop.run('up', '-d')
  shop.put('compose.yaml', 'services: {web: {image: app}}')
  expect((await shop.run('up', '-d')).err).toContain('Found orphan containers ([shop-db-1])')
  await shop.run('up', '-d', '--remove-orphans')
  expect(shop.docker.names()).toEqual(['shop-web-1'])
})

describe('what a service waits for', () => {
  const file = (condition: string, db: string) =>
    `services: {web: {image: app, depends_on: {db: {condition: ${condition}}}}, db: {image: app, ${db}}}`

  test('a health check, until it is healthy', async () => {
    shop = await Shop.open(file('service_healthy', 'healthcheck: {test: x}'))
    let looks = 0
    shop.docker.beforeAnswer = ({ method, path }) => {
      if (method !== 'GET' || !/^\/containers\/\w+\/json$/.test(path) || shop.docker.names('running').length === 0)
        return
      shop.docker.find('shop-db-1').health = ++looks < 3 ? 'starting' : 'healthy'
    }
    expect((await shop.run('up', '-d')).error).toBeUndefined()
    expect(looks).toBe(3)
    expect(shop.docker.names('running')).toEqual(['shop-db-1', 'shop-web-1'])
  })

  test.each([
    ['service_healthy', 'command: exit 3', 'container shop-db-1 exited (3)'],
    ['service_completed_successfully', 'command: exit 4', `"shop-db-1" didn't complete successfully: exit 4`],
    ['service_healthy', 'command: serve', 'has no healthcheck configured'],
  ])('%s of one with %s', async (condition, db, message) => {
    shop = await Shop.open(file(condition, db))
    expect((await shop.run('up', '-d')).error?.message).toContain(message)
    expect(shop.docker.find('shop-web-1').state).toBe('created')
  })

  test('up --wait waits for all of it', async () => {
    shop = await Shop.open('services: {web: {image: app, healthcheck: {test: x}}, job: {image: app, command: exit 1}}')
    expect((await shop.run('up', '--wait')).error?.message).toContain('container shop-job-1 exited (1)')
  })
})

test('create makes containers and starts none; start starts them', async () => {
  shop = await Shop.open(twoServices)
  await shop.run('create')
  expect(shop.docker.names('created')).toEqual(['shop-db-1', 'shop-web-1'])
  await shop.run('start')
  expect(shop.docker.names('running')).toEqual(['shop-db-1', 'shop-web-1'])
})

test.each([
  [['--force-recreate', '--no-recreate'], 'are incompatible'],
  [['-V', '--no-recreate'], '--renew-anon-volumes and --no-recreate are incompatible'],
  [['--abort-on-container-exit', '--abort-on-container-failure'], 'are incompatible'],
  [['-d', '--abort-on-container-failure'], '--abort-on-container-failure and --detach are incompatible'],
  [['--exit-code-from', 'web', '--wait'], '--exit-code-from and --wait are incompatible'],
  [['--pull', 'sometimes'], '--pull takes'],
  [['-t', 'soon'], '--timeout takes a number'],
  [['nope'], 'no such service: nope'],
])('up %j is refused', async (words, message) => {
  shop = await Shop.open(twoServices)
  expect((await shop.run('up', ...words)).error?.message).toContain(message)
  expect(shop.docker.containers.size).toBe(0)
})
