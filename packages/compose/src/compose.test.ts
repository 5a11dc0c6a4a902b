import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { Shop } from './testing/shop.ts'

/** For a machine that is busy with something else. */
const patient = { timeout: 20_000 }

let shop: Shop
afterEach(() => shop.close())

const file = `
services:
  web: {image: app, depends_on: [db], ports: ["8080:80"]}
  db: {image: app, volumes: ["data:/data", "/cache"]}
volumes: {data: {}, old: {external: true}}
networks: {default: {}}
`

async function running(text = file): Promise<Shop> {
  shop = await Shop.open(text)
  shop.docker.volumes.set('old', { Name: 'old', Labels: {} })
  const { error } = await shop.run('up', '-d')
  if (error) throw error
  return shop
}

describe('down', () => {
  test('containers and networks go, dependents first; volumes stay', async () => {
    await running()
    const web = shop.docker.find('shop-web-1').id
    const stopped = () => shop.docker.changes.filter((change) => change.endsWith('/stop'))
    expect((await shop.run('down')).code).toBe(0)
    expect(stopped()[0]).toBe(`POST /containers/${web}/stop`)
    expect([shop.docker.containers.size, shop.docker.networks.size]).toEqual([0, 0])
    expect([...shop.docker.volumes.keys()].toSorted()).toEqual(['old', 'shop_data'])
  })

  test('-v removes the project’s volumes, --rmi local the images it built', async () => {
    shop = await Shop.open(
      file.replace('web: {image: app', 'web: {build: ., image: mine').replace('{image: app', '{build: .'),
    )
    shop.docker.volumes.set('old', { Name: 'old', Labels: {} })
    shop.put('Dockerfile', 'FROM scratch')
    await shop.run('up', '-d')
    expect((await shop.run('down', '-v', '--rmi', 'local')).error).toBeUndefined()
    expect([...shop.docker.volumes.keys()]).toEqual(['old'])
    expect([...shop.docker.images.keys()].toSorted()).toEqual(['app:latest', 'mine:latest'])
    await shop.run('up', '-d')
    await shop.run('down', '--rmi', 'all')
    expect([...shop.docker.images.keys()]).toEqual(['app:latest'])
  })

  test('some services only: what all share stays', async () => {
    await running()
    await shop.run('down', 'web')
    expect(shop.docker.names()).toEqual(['shop-db-1'])
    expect(shop.docker.networks.size).toBe(1)
  })

  test('without its file, by the labels', async () => {
    await running()
    expect((await shop.type('-p', 'nothing', '--project-directory', '/', 'down')).error).toBeDefined()
    const before = process.cwd()
    try {
      process.chdir('/')
      expect((await shop.type('-p', 'shop', 'down')).error).toBeUndefined()
    } finally {
      process.chdir(before)
    }
    expect([shop.docker.containers.size, shop.docker.networks.size]).toEqual([0, 0])
  })

  test('a network that others use stays, and that is said', async () => {
    await running()
    shop.docker.beforeAnswer = ({ method, path }) =>
      method === 'DELETE' && path.startsWith('/networks/') && shop.docker.refuse(403, 'has active endpoints')
    const { err, error } = await shop.run('down')
    expect(error).toBeUndefined()
    expect(err).toContain('Network shop_default stays: has active endpoints')
  })

  test('--rmi takes all or local', async () => {
    await running()
    expect((await shop.run('down', '--rmi', 'some')).error?.message).toContain('--rmi takes')
  })
})

describe('what is there', () => {
  const words = (text: string) => text.split('\n').map((row) => row.split(/ {2,}/))

  test('ps', async () => {
    await running()
    shop.docker.end(shop.docker.find('shop-db-1'), 3)
    const { out } = await shop.run('ps')
    expect(words(out)[1]?.slice(0, 4)).toEqual(['shop-web-1', 'app', '"serve"', 'web'])
    expect(out).toContain('0.0.0.0:8080->80/tcp')
    expect((await shop.run('ps', '-a', '-q')).out.split('\n')).toHaveLength(3)
    expect((await shop.run('ps', '--services', '--status', 'exited')).out).toBe('db\n')
    const [db] = (await shop.run('ps', '-a', '--format', 'json', 'db')).out.split('\n')
    expect(JSON.parse(db ?? '')).toMatchObject({ Name: 'shop-db-1', State: 'exited', ExitCode: 3, Project: 'shop' })
  })

  test.each([
    ['{{.Name}}', 'shop-web-1\n'],
    [String.raw`{{.Service}}\t{{ .State | printf }}`, undefined],
    [String.raw`{{.Service}}\t{{upper .State}}: {{.Ports}}`, 'web\tRUNNING: 0.0.0.0:8080->80/tcp\n'],
    ['{{json .Publishers}}', '[{"URL":"0.0.0.0","TargetPort":80,"PublishedPort":8080,"Protocol":"tcp"}]\n'],
    ['{{title .State}} {{lower "X"}}', undefined],
    [
      String.raw`table {{.Service}}\t{{.ExitCode}}\t{{.Name}}`,
      'SERVICE   EXIT CODE   NAME\nweb       0           shop-web-1\n',
    ],
    ['{{.Nope}}', undefined],
    ['{{.Name', undefined],
    ['tables', undefined],
  ])('ps --format %s', async (format, expected) => {
    await running()
    const { out, error } = await shop.run('ps', '--format', format, 'web')
    if (expected === undefined) expect(error?.message).toMatch(/--format/)
    else expect(out).toBe(expected)
  })

  test('images, port, top, ls', async () => {
    await running()
    expect(words((await shop.run('images')).out)[1]).toEqual(['shop-db-1', 'app', 'latest', 'app', '4.26MB'])
    expect((await shop.run('images', '-q')).out).toBe('app\n')
    expect((await shop.run('port', 'web', '80')).out).toBe('0.0.0.0:8080\n')
    expect((await shop.run('port', 'web', '81')).error?.message).toBe('no port 81/tcp for container shop-web-1')
    expect((await shop.run('port', '--index', '2', 'web', '80')).error?.message).toContain('no container found')
    expect((await shop.run('top', 'web')).out).toBe('shop-web-1\nPID   CMD\n7     serve\n\n')
    shop.docker.end(shop.docker.find('shop-db-1'), 0)
    const [project] = JSON.parse((await shop.type('ls', '--all', '--format', 'json')).out) as unknown[]
    expect(project).toMatchObject({ Name: 'shop', Status: 'exited(1), running(1)' })
    expect((await shop.type('ls')).out).toContain('running(1)')
    expect((await shop.type('ls', '--format', 'xml')).error?.message).toContain('--format takes')
  })

  test('config writes out what was understood; a secret of the environment is not in it', async () => {
    shop = await Shop.open('services: {web: {image: "app$$x", secrets: [s]}}\nsecrets: {s: {environment: HOME}}')
    expect((await shop.run('config')).out).toContain('image: app$$x')
    expect((await shop.run('config')).out).not.toContain(String(process.env['HOME']))
    expect(JSON.parse((await shop.run('config', '--format', 'json')).out)).toMatchObject({ name: 'shop' })
    expect((await shop.run('config', '-q')).out).toBe('')
    expect((await shop.run('config', '--services')).out).toBe('web\n')
    expect((await shop.run('config', '--hash', '*')).out).toMatch(/^web [0-9a-f]{64}\n$/)
    expect((await shop.run('config', '--format', 'xml')).error?.message).toContain('--format takes')
    expect((await shop.type('version', '--short')).out).toMatch(/^2\./)
  })

  test('events: those of the chosen services', async () => {
    await running()
    const events = shop.run('events', '--json', 'db')
    await expect.poll(() => shop.docker.requests.some(({ path }) => path === '/events'), patient).toBe(true)
    shop.docker.end(shop.docker.find('shop-web-1'), 1)
    shop.docker.end(shop.docker.find('shop-db-1'), 2)
    shop.docker.endEvents()
    const lines = (await events).out.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { service: 'db', action: 'die', attributes: { exitCode: '2', name: 'shop-db-1' } },
    ])
  })
})

describe('what acts on containers', () => {
  test('stop, start, pause, unpause, kill and rm', async () => {
    await running()
    await shop.run('pause', 'db')
    expect(shop.docker.names('paused')).toEqual(['shop-db-1'])
    await shop.run('unpause')
    await shop.run('kill', '-s', 'SIGUSR1', 'db')
    expect(shop.docker.find('shop-db-1').signals).toEqual(['SIGUSR1'])
    await shop.run('stop', '-t', '3')
    expect(shop.docker.requests.findLast(({ path }) => path.endsWith('/stop'))?.query.get('t')).toBe('3')
    expect(shop.docker.names('exited')).toHaveLength(2)
    expect((await shop.run('rm')).error?.message).toContain('say -f')
    await shop.run('start', 'db')
    await shop.run('rm', '-f')
    expect(shop.docker.names()).toEqual(['shop-db-1'])
    await shop.run('rm', '-fsv')
    expect(shop.docker.names()).toEqual([])
    expect((await shop.run('start', 'web')).error?.message).toContain('has no container to start')
  })

  test('wait gives the exit code, and may take the project down', async () => {
    await running()
    const wait = shop.run('wait', '--down-project', 'db')
    await expect.poll(() => shop.docker.requests.some(({ path }) => path.endsWith('/wait')), patient).toBe(true)
    shop.docker.end(shop.docker.find('shop-db-1'), 4)
    const { code, out } = await wait
    expect(code).toBe(4)
    expect(out).toContain('exited with status code 4')
    expect(shop.docker.containers.size).toBe(0)
    expect((await shop.run('wait')).error?.message).toContain('name the services')
    expect((await shop.run('wait', 'db')).error?.message).toContain('no containers for project')
  })

  test('exec: the command’s output and exit code', async () => {
    await running()
    const { code, out } = await shop.run('exec', '-T', '-e', 'A=1', '-u', 'me', '-w', '/d', 'web', 'exit', '7', 'said')
    expect([code, out]).toEqual([7, 'said\n'])
    const { body } = shop.docker.requests.findLast(({ path }) => path.endsWith('/exec')) ?? {}
    expect(body).toMatchObject({ Cmd: ['exit', '7', 'said'], Env: ['A=1'], User: 'me', WorkingDir: '/d', Tty: false })
    expect((await shop.run('exec', '--index', '2', 'web', 'x')).error?.message).toBe('service "web" is not running')
    expect((await shop.run('exec', 'web')).error?.message).toContain('name a service and a command')
  })

  test('run: a container of its own, with its dependencies and without ports', async () => {
    shop = await Shop.open(file)
    const { code, out, error } = await shop.run(
      'run',
      '-T',
      '--rm',
      '-e',
      'A=1',
      '-v',
      './x:/x',
      'web',
      'exit',
      '9',
      'done',
    )
    expect([code, out, error]).toEqual([9, 'done\n', undefined])
    expect(shop.docker.names('running')).toEqual(['shop-db-1'])
    const create = shop.docker.requests.findLast(({ path }) => path === '/containers/create')
    expect(create?.query.get('name')).toMatch(/^shop-web-run-[0-9a-f]{12}$/)
    expect(create?.body).toMatchObject({ Env: ['A=1'], HostConfig: { AutoRemove: true, PortBindings: {} } })
    const detached = await shop.run('run', '-d', '-P', '--no-deps', '--name', 'mine', '--entrypoint', 'a b', 'web')
    expect(detached.out).toBe('mine\n')
    expect(shop.docker.find('mine').body).toMatchObject({ Entrypoint: ['a', 'b'], AttachStdin: false })
    expect(shop.docker.find('mine').body.HostConfig['PortBindings']).toHaveProperty('80/tcp')
    expect((await shop.run('run', 'nope')).error?.message).toBe('no such service: nope')
  })
})

describe('cp', () => {
  test('out of a container: a directory, its content, a file', async () => {
    await running()
    shop.docker.find('shop-web-1').files = { '/d': null, '/d/a': 'A', '/d/sub': null, '/d/sub/b': 'B' }
    expect((await shop.run('cp', 'web:/d', shop.path('new'))).error).toBeUndefined()
    expect(readFileSync(shop.path('new/sub/b'), 'utf8')).toBe('B')
    shop.put('there/x', '')
    await shop.run('cp', 'web:/d', shop.path('there'))
    expect(existsSync(shop.path('there/d/a'))).toBe(true)
    await shop.run('cp', 'web:/d/.', shop.path('there'))
    expect(existsSync(shop.path('there/a'))).toBe(true)
    await shop.run('cp', 'web:/d/.', shop.path('content'))
    expect(readFileSync(shop.path('content/sub/b'), 'utf8')).toBe('B')
    await shop.run('cp', 'web:/d/a', shop.path('file'))
    expect(readFileSync(shop.path('file'), 'utf8')).toBe('A')
  })

  test.each([
    [['web:/nope', './x'], 'Could not find the file /nope'],
    [['web:/d', './compose.yaml'], 'cannot copy directory'],
    [['web:/d', './no/such'], 'does not exist'],
    [['./a', './b'], 'one of source and destination is a SERVICE:PATH'],
    [['nope:/d', './b'], 'no such service'],
    [['./missing', 'web:/d'], 'no such file or directory'],
    [['web:/d'], 'name a source and a destination'],
  ])('%j is refused', async (words, message) => {
    await running()
    shop.docker.find('shop-web-1').files = { '/d': null }
    const given = words.map((word) => word.replace('./', `${shop.directory}/`))
    expect((await shop.run('cp', ...given)).error?.message).toContain(message)
  })

  test('into all containers of a service, or one of them', async () => {
    await running(file.replace('web: {image: app', 'web: {scale: 2, image: app').replace('"8080:80"', '"80"'))
    shop.docker.find('shop-web-1').files = { '/d': null }
    shop.docker.find('shop-web-2').files = { '/d': null }
    shop.put('from/a', 'A')
    await shop.run('cp', shop.path('from'), 'web:/d')
    expect(shop.docker.uploads.map(({ container, files }) => [container, files.map(({ name }) => name)])).toEqual([
      ['shop-web-1', ['from', 'from/a']],
      ['shop-web-2', ['from', 'from/a']],
    ])
    await shop.run('cp', '-a', '--index', '2', `${shop.path('from')}/.`, 'web:/d')
    expect(shop.docker.uploads.at(-1)).toMatchObject({ container: 'shop-web-2', files: [{ name: '.' }, { name: 'a' }] })
    expect(shop.docker.uploads.at(-1)?.query.get('copyUIDGID')).toBe('true')
  })
})

describe('images', () => {
  test('build sends the context and what the file says', async () => {
    shop = await Shop.open(`
services:
  web:
    build:
      context: .
      args: {A: "1", B: }
      target: last
      extra_hosts: {db: 10.0.0.1, two: 10.0.0.2}
      cache_from: [me/app:old, "type=registry,ref=me/cache", "type=local,src=x"]
      labels: {l: v}
      tags: [me/app:1]
      network: none
      secrets: [token]
secrets: {token: {file: ./token}}
`)
    shop.put('Dockerfile', 'FROM scratch')
    shop.put('token', 't0k')
    expect((await shop.run('build', '--no-cache', '--build-arg', 'A=2')).error).toBeUndefined()
    const [{ query, headers, files } = { query: new URLSearchParams(), headers: {}, files: [] }] = shop.docker.builds
    expect(query.getAll('t')).toEqual(['shop-web', 'me/app:1'])
    expect(query.getAll('extrahosts')).toEqual(['db:10.0.0.1', 'two:10.0.0.2'])
    expect(JSON.parse(query.get('cachefrom') ?? '')).toEqual(['me/app:old', 'me/cache'])
    expect(JSON.parse(query.get('buildargs') ?? '')).toEqual({ A: '2' })
    expect(JSON.parse(query.get('labels') ?? '')).toEqual({ l: 'v' })
    expect(['target', 'nocache', 'networkmode'].map((name) => query.get(name))).toEqual(['last', '1', 'none'])
    expect(headers['x-build-secrets']).toBeDefined()
    expect(files.map(({ name }) => name)).toEqual(['Dockerfile', 'compose.yaml', 'token'])
  })

  test('a Dockerfile in the compose file, or outside of the context', async () => {
    shop = await Shop.open(`
services:
  inline: {build: {context: ctx, dockerfile_inline: "FROM inline"}}
  outside: {build: {context: ctx, dockerfile: ../other.Dockerfile}}
  remote: {build: "https://example.test/x.git"}
`)
    shop.put('ctx/a', '')
    shop.put('other.Dockerfile', 'FROM outside')
    expect((await shop.run('build')).error).toBeUndefined()
    const sent = shop.docker.builds.map(({ query, files }) => {
      const name = query.get('dockerfile')
      return query.get('remote') ?? files.find((entry) => entry.name === name)?.text
    })
    expect(sent).toEqual(['FROM inline', 'FROM outside', 'https://example.test/x.git'])
  })

  test.each([
    ['{build: {context: nowhere}}', 'path "'],
    ['{build: {context: ., dockerfile: nope}}', 'failed to read dockerfile'],
    ['{build: {context: ., secrets: [s]}}', 'undefined build secret s'],
  ])('%s is refused', async (service, message) => {
    shop = await Shop.open(`services: {web: ${service}}`)
    if (service.includes('secrets')) shop.put('Dockerfile', 'FROM scratch')
    expect((await shop.run('build')).error?.message).toContain(message)
  })

  test('up builds what is missing, and pulls the rest; policies and flags decide', async () => {
    shop = await Shop.open('services: {web: {build: .}, db: {image: "db:1"}, twin: {image: "db:1"}}')
    shop.put('Dockerfile', 'FROM scratch')
    const { err } = await shop.run('up', '-d')
    expect(err).toContain('WARNING: it stands in')
    const pulls = () => shop.docker.changes.filter((change) => change === 'POST /images/create').length
    expect([shop.docker.builds.length, pulls()]).toEqual([1, 1])
    await shop.run('up', '-d', '--build', '--pull', 'always')
    expect([shop.docker.builds.length, pulls()]).toEqual([2, 2])
    shop.docker.images.delete('db:1')
    expect((await shop.run('up', '-d', '--pull', 'never')).error?.message).toContain('which is not there')
  })

  test('pull: each image once; failures may be passed over', async () => {
    shop = await Shop.open('services: {a: {image: "db:1"}, b: {image: "db:1"}, c: {image: broken}, d: {build: .}}')
    expect((await shop.run('pull')).error?.message).toContain('pull access denied for broken')
    const { error, err } = await shop.run('pull', '--ignore-pull-failures', '--policy', 'missing')
    expect(error).toBeUndefined()
    expect(err).toContain('pull access denied')
    expect([...shop.docker.images.keys()]).toEqual(['app:latest', 'db:1'])
    expect((await shop.run('pull', '--policy', 'x')).error?.message).toContain('--policy takes')
  })
})

test('what is external has to be there', async () => {
  shop = await Shop.open('services: {web: {image: app, networks: [n]}}\nnetworks: {n: {external: true}}')
  expect((await shop.run('up', '-d')).error?.message).toContain(
    'network n declared as external, but could not be found',
  )
  shop.put('compose.yaml', 'services: {web: {image: app, volumes: ["v:/v"]}}\nvolumes: {v: {external: true}}')
  expect((await shop.run('up', '-d')).error?.message).toContain('external volume "v" not found')
})

test('networks and volumes get what the file says', async () => {
  shop = await Shop.open(`
services: {web: {image: app, networks: [n], volumes: ["v:/v"]}}
networks: {n: {driver: bridge, internal: true, ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1}]}, labels: {a: b}}}
volumes: {v: {driver_opts: {type: tmpfs}, labels: [c=d]}}
`)
  await shop.run('up', '-d')
  expect(shop.docker.networks.get('shop_n')).toMatchObject({
    Driver: 'bridge',
    Internal: true,
    IPAM: { Config: [{ Subnet: '10.1.0.0/16', Gateway: '10.1.0.1' }] },
    Labels: { a: 'b', 'com.docker.compose.project': 'shop' },
  })
  expect(shop.docker.volumes.get('shop_v')).toMatchObject({ DriverOpts: { type: 'tmpfs' }, Labels: { c: 'd' } })
})
