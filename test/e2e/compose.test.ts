/**
 * A compose project's life on a runtime of its own: through `dinghy compose` always, and through the real docker CLI's
 * `docker compose` where that is installed.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, type Output, root } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

/** Projects mount and read paths such as /data, so their containers need a file system of their own. */
const isLinuxRoot = process.platform === 'linux' && process.getuid?.() === 0
const runtime = new RuntimeProcess()
const { docker } = runtime
const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const directory = join(runtime.dir, 'shop')
const env = { ...process.env, DOCKER_HOST: `unix://${runtime.socket}`, DOCKER_CONFIG: join(runtime.dir, 'docker') }

const server = `
const { createServer, get } = require('node:http')
const { readFileSync } = require('node:fs')
createServer((request, response) => {
  if (request.url === '/db') return get('http://database:4000/', (answer) => answer.pipe(response))
  response.end([process.env.WHO, process.env.MOOD, readFileSync('/run/secrets/token'), readFileSync('/etc/greeting')].join())
}).listen(3000, () => console.log('web listens'))
process.on('SIGTERM', () => process.exit(0))
`
const database = `
const { createServer } = require('node:http')
const { appendFileSync, readFileSync } = require('node:fs')
appendFileSync('/data/starts', 'x')
createServer((request, response) => response.end(readFileSync('/data/starts'))).listen(4000)
process.on('SIGTERM', () => process.exit(0))
`
const check =
  "require('node:http').get('http://localhost:4000', () => process.exit(0)).on('error', () => process.exit(1))"

const files = {
  'web/Dockerfile': 'FROM node\nARG WHO\nENV WHO=$WHO\nCOPY server.cjs /\nCMD ["node", "/server.cjs"]\n',
  'web/server.cjs': server,
  'database.cjs': database,
  'token.txt': 's3cret',
  'app.env': 'MOOD=${MOOD:-merry}\n',
  '.env': 'IMAGE=node\n',
  'compose.yaml': `
services:
  web:
    build: {context: web, args: {WHO: shop}}
    env_file: app.env
    ports: ["127.0.0.1::3000"]
    secrets: [token]
    configs: [{source: greeting, target: /etc/greeting}]
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
  db:
    image: $IMAGE
    command: [node, /database.cjs]
    volumes: ["./database.cjs:/database.cjs:ro", "data:/data"]
    networks: {default: {aliases: [database]}}
    healthcheck: {test: [CMD, node, -e, ${JSON.stringify(check)}], interval: 100ms, retries: 50}
  migrate:
    image: busybox
    command: sh -c 'echo migrated'
  tool:
    image: busybox
    profiles: [tools]
    command: ["true"]
  broken:
    image: busybox
    profiles: [broken]
    command: sh -c 'exit 3'
  needy:
    image: busybox
    profiles: [broken]
    depends_on: {broken: {condition: service_completed_successfully}}
volumes: {data: {}}
secrets: {token: {file: token.txt}}
configs: {greeting: {content: "hello from \${IMAGE}"}}
`,
}

function compose(...args: string[]): Output {
  return call(process.execPath, [dinghy, 'compose', ...args])
}

function call(command: string, args: string[], input = ''): Output {
  const { status, stdout, stderr } = spawnSync(command, args, {
    env,
    cwd: directory,
    input,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { code: status ?? -1, stdout, stderr }
}

/** Container names and ids, those that `ps` shows. */
function containers(): Record<string, string> {
  const lines = compose('ps', '-a', '--format', 'json').stdout.trim().split('\n').filter(Boolean)
  const listed = lines.map((line) => JSON.parse(line) as { ID: string; Name: string })
  return Object.fromEntries(listed.map(({ ID, Name }) => [Name, ID]))
}

async function page(path: string): Promise<string> {
  const url = `http://${compose('port', 'web', '3000').stdout.trim()}${path}`
  let text = ''
  await eventually(async () => {
    // A published port answers before the program behind it does, so a refusal means: ask again.
    const response = await fetch(url).catch(() => undefined)
    text = (await response?.text()) ?? ''
    return response?.ok === true
  })
  return text
}

function edit(file: string, from: string, to: string): void {
  const path = join(directory, file)
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
}

beforeAll(async () => {
  mkdirSync(join(directory, 'web'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  await runtime.start()
})

afterAll(async () => {
  await runtime.destroy()
  expect(runtime.leftovers()).toEqual([])
})

describe.runIf(isLinuxRoot)('a project', () => {
  test('comes up in the order of its dependencies', async () => {
    const { code, stderr } = compose('up', '-d')
    expect(code, stderr).toBe(0)
    const done = (what: string) => stderr.indexOf(what)
    expect(done('shop-db-1                  Healthy')).toBeLessThan(done('shop-web-1                 Starting'))
    expect(Object.keys(containers())).toEqual(['shop-db-1', 'shop-migrate-1', 'shop-web-1'])
    expect(await page('/')).toBe('shop,merry,s3cret,hello from node')
    expect(await page('/db')).toBe('x')
  })

  test('is left running where nothing has changed', () => {
    const before = containers()
    expect(compose('up', '-d').code).toBe(0)
    expect(containers()).toEqual(before)
  })

  test.each([
    ['environment', 'app.env', 'merry', 'glad', 'shop,glad,s3cret,hello from node'],
    ['a config', 'compose.yaml', 'hello from', 'greetings from', 'shop,glad,s3cret,greetings from node'],
    ['what is built', 'web/Dockerfile', 'ENV WHO=$WHO', 'ENV WHO=new-$WHO', 'new-shop,glad,s3cret,greetings from node'],
  ])('replaces only the service whose %s has changed', async (_what, file, from, to, text) => {
    const before = containers()
    edit(file, from, to)
    const { code, stderr } = compose('up', '-d', '--build')
    expect(code, stderr).toBe(0)
    const after = containers()
    expect(after['shop-web-1']).not.toBe(before['shop-web-1'])
    expect({ ...after, 'shop-web-1': '' }).toEqual({ ...before, 'shop-web-1': '' })
    expect(await page('/')).toBe(text)
  })

  test('scales up and down', () => {
    const first = containers()['shop-db-1']
    compose('up', '-d', '--scale', 'db=3', 'db')
    expect(compose('ps', '--services', 'db').stdout).toBe('db\n')
    expect(Object.keys(containers()).filter((name) => name.includes('-db-'))).toHaveLength(3)
    compose('up', '-d', 'db')
    expect(containers()['shop-db-1']).toBe(first)
    expect(Object.keys(containers()).filter((name) => name.includes('-db-'))).toEqual(['shop-db-1'])
  })

  test('exec, run and their exit codes', () => {
    expect(compose('exec', '-T', 'web', 'sh', '-c', 'echo $MOOD; exit 5')).toMatchObject({ code: 5, stdout: 'glad\n' })
    const run = compose('run', '--rm', '-T', '-e', 'X=1', 'web', 'sh', '-c', 'echo $X $MOOD; exit 6')
    expect(run).toMatchObject({ code: 6, stdout: '1 glad\n' })
    expect(call(process.execPath, [dinghy, 'compose', 'run', '--rm', '-T', 'tool', 'cat'], 'typed').stdout).toBe(
      'typed',
    )
    expect(Object.keys(containers())).toEqual(['shop-db-1', 'shop-migrate-1', 'shop-web-1'])
  })

  test('logs, top, images, config', () => {
    expect(compose('logs', 'web', 'migrate').stdout).toMatch(/^migrate-1 \| migrated\n(.*\n)*web-1 {5}\| web listens\n/)
    expect(compose('logs', '--no-log-prefix', '-n', '1', 'migrate').stdout).toBe('migrated\n')
    expect(compose('top', 'web').stdout).toContain('node /server.cjs')
    expect(compose('images', 'db').stdout).toMatch(/shop-db-1 +node +latest/)
    expect(compose('config', '--services').stdout.split('\n')).toContain('web')
    expect(compose('config').stdout).toContain('MOOD: glad')
  })

  test('stops, starts, restarts, pauses', () => {
    const state = () => compose('ps', '-a', '--format', 'json', 'db').stdout
    compose('stop', '-t', '5')
    expect(state()).toContain('"State":"exited"')
    expect(compose('start').code).toBe(0)
    expect(state()).toContain('"Health":"healthy"')
    compose('pause', 'db')
    expect(state()).toContain('"State":"paused"')
    compose('unpause', 'db')
    expect(compose('restart', '-t', '5', 'web').code).toBe(0)
    expect(compose('kill', 'web').code).toBe(0)
    expect(compose('rm', '-f', 'web').code).toBe(0)
    expect(Object.keys(containers())).not.toContain('shop-web-1')
  })

  test('tells why a dependency did not come about', () => {
    const { code, stderr } = compose('up', '-d', 'needy')
    expect(code).toBe(1)
    expect(stderr).toContain('service "shop-broken-1" didn\'t complete successfully: exit 3')
  })

  test('goes down and leaves its data, or takes it along', async () => {
    const volumes = async () => (await docker.listVolumes()).Volumes.map(({ Name }) => Name)
    expect(compose('--profile', '*', 'down').code).toBe(0)
    expect(await docker.listContainers({ all: true })).toEqual([])
    expect(await docker.listNetworks({ filters: { name: ['shop_default'] } })).toEqual([])
    expect(await volumes()).toEqual(['shop_data'])
    compose('up', '-d', 'db')
    expect(compose('exec', '-T', 'db', 'cat', '/data/starts').stdout).toMatch(/^x{2,}$/)
    compose('down', '-v')
    expect(await volumes()).toEqual([])
  })
})

describe.runIf(isLinuxRoot)('in the foreground', () => {
  let running: ChildProcess | undefined
  afterEach(() => running?.kill('SIGKILL'))

  function start(...args: string[]): { child: ChildProcess; output: () => string; code: Promise<number> } {
    const child = spawn(process.execPath, [dinghy, 'compose', 'up', ...args], { env, cwd: directory })
    running = child
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)))
    return { child, output: () => text, code: once(child, 'close').then(([code]) => Number(code)) }
  }

  test('the output is shown until Ctrl-C stops everything', async () => {
    const { child, output, code } = start()
    await eventually(() => output().includes('web-1     | web listens'))
    child.kill('SIGINT')
    expect(await code).toBe(130)
    expect(output()).toMatch(/Attaching to db-1, migrate-1, web-1/)
    expect(output()).toMatch(/migrate-1 \| migrated\n(?: [✔•] .*\n)*migrate-1 \| exited with code 0/)
    expect(output()).toContain('web-1     | exited with code 0')
    expect((await docker.listContainers()).length).toBe(0)
  })

  test('--exit-code-from stops the others when its service ends', async () => {
    const { output, code } = start('-t', '0', '--exit-code-from', 'broken', '--no-deps', 'broken', 'db')
    expect(await code, output()).toBe(3)
    expect((await docker.listContainers()).length).toBe(0)
    compose('--profile', '*', 'down', '-v')
  })
})

describe.runIf(isLinuxRoot)('around a running project', () => {
  beforeAll(() => expect(compose('up', '-d', '--no-deps', 'db').code).toBe(0))
  afterAll(() => compose('down', '-v', '-t', '0'))

  test('cp, in and out', () => {
    const tree = join(directory, 'tree')
    mkdirSync(join(tree, 'sub'), { recursive: true })
    writeFileSync(join(tree, 'sub/file'), 'copied')
    expect(compose('cp', 'tree', 'db:/tmp').code).toBe(0)
    expect(compose('cp', 'tree/.', 'db:/renamed').code).toBe(0)
    expect(compose('exec', '-T', 'db', 'cat', '/tmp/tree/sub/file', '/renamed/sub/file').stdout).toBe('copiedcopied')
    expect(compose('cp', 'db:/renamed', 'back').code).toBe(0)
    expect(readFileSync(join(directory, 'back/sub/file'), 'utf8')).toBe('copied')
    expect(compose('cp', 'db:/nosuch', 'back')).toMatchObject({ code: 1 })
    expect(compose('cp', 'db:/renamed', 'nosuch/back').stderr).toContain('invalid output path')
  })

  test('events, wait', async () => {
    const events = spawn(process.execPath, [dinghy, 'compose', 'events', '--json'], { env, cwd: directory })
    let text = ''
    events.stdout.on('data', (chunk) => (text += String(chunk)))
    const [container] = await docker.listContainers()
    // Until it has been heard, nobody may be listening yet.
    await eventually(async () => {
      compose('pause', 'db')
      compose('unpause', 'db')
      return text.includes('"action":"unpause"')
    })
    expect(JSON.parse(text.split('\n')[0] ?? '')).toMatchObject({ type: 'container', service: 'db', id: container?.Id })
    const waiting = spawn(process.execPath, [dinghy, 'compose', 'wait', 'db'], { env, cwd: directory })
    compose('kill', '-s', 'KILL', 'db')
    const [code] = await once(waiting, 'exit')
    expect(code).toBe(137)
    const ended = once(events, 'exit')
    events.kill()
    await ended
  })
})

test.runIf(isLinuxRoot)('a build sees its secrets, and its image does not', async () => {
  const place = join(runtime.dir, 'secretive')
  mkdirSync(place)
  const dockerfile = `FROM busybox
RUN --mount=type=secret,id=token,required cat /run/secrets/token | tr a-z A-Z >/upper
RUN --mount=type=secret,id=token,env=TOKEN echo "$TOKEN" | wc -c >/length
`
  const compose =
    'services: {a: {build: {context: ., secrets: [{source: mine, target: token}]}, command: [cat, /upper, /length]}}\n' +
    'secrets: {mine: {environment: MINE}}\n'
  writeFileSync(join(place, 'Dockerfile'), dockerfile)
  writeFileSync(join(place, 'compose.yaml'), compose)
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [dinghy, ...args], {
      cwd: place,
      env: { ...env, MINE: 'open sesame' },
      encoding: 'utf8',
    })
  expect(run('compose', 'run', '--rm', 'a')).toMatchObject({ status: 0, stdout: 'OPEN SESAME12\n' })
  expect(run('docker', 'build', '--secret', 'id=token,env=MINE', '-t', 'again', '.').status).toBe(0)
  expect(run('docker', 'build', '--no-cache', '.').stderr).toContain('secret token: not found')
  const history = (await docker.getImage('again').history()) as { CreatedBy: string }[]
  expect(history.map(({ CreatedBy }) => CreatedBy).join('\n')).not.toContain('sesame')
  run('compose', 'down', '--rmi', 'all')
  await docker.getImage('again').remove()
})

describe.runIf(isLinuxRoot && isInstalled('docker-compose'))('docker-compose 1.x', () => {
  const old = join(runtime.dir, 'old')
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('docker-compose', args, { env, cwd: old, encoding: 'utf8' })
    expect(status, `${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }

  test('up, exec, recreate, down', () => {
    mkdirSync(old)
    const file = 'services: {web: {build: ., volumes: ["data:/data"], stop_grace_period: 1s}}\nvolumes: {data: {}}\n'
    writeFileSync(join(old, 'docker-compose.yml'), `version: "3.8"\n${file}`)
    writeFileSync(join(old, 'Dockerfile'), 'FROM node\nCMD ["sleep", "1000"]\n')
    run('up', '-d')
    expect(run('exec', '-T', 'web', 'sh', '-c', 'echo kept >/data/file; cat /data/file')).toBe('kept\n')
    run('up', '-d', '--force-recreate')
    expect(run('exec', '-T', 'web', 'cat', '/data/file')).toBe('kept\n')
    run('down', '-v', '--rmi', 'local')
  })
})

describe.runIf(isLinuxRoot && isInstalled('docker'))('docker compose', () => {
  const dockerCompose = (...args: string[]) => call('docker', ['compose', ...args])

  test('runs ours once the plugin is installed', async () => {
    expect(compose('install-plugin').code).toBe(0)
    expect(dockerCompose('version').stdout).toContain('Docker Compose version')
    expect(dockerCompose('up', '-d', '--wait', 'db').code).toBe(0)
    expect(dockerCompose('exec', '-T', 'db', 'cat', '/data/starts')).toMatchObject({ code: 0, stdout: 'x' })
    expect(dockerCompose('ls').stdout).toMatch(/shop +running\(1\)/)
    // From elsewhere, and without the file.
    const away = spawnSync('docker', ['compose', '-p', 'shop', 'down', '-v'], { env, cwd: runtime.dir })
    expect(away.status, String(away.stderr)).toBe(0)
    expect(await docker.listContainers({ all: true })).toEqual([])
  })
})

test('nothing is left of the containers', async () => {
  await eventually(() => runtime.leftovers().length === 0)
})
