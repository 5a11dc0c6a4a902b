import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { captured, type Ran } from '@dinghy/testing/captured'
import { FakeDocker } from '@dinghy/testing/fake-docker'
import { docker as command } from './docker.ts'
import { socketOf, socketOfCli } from './socket.ts'

/** For a machine that is busy with something else. */
const patient = { timeout: 20_000 }

let docker: FakeDocker
let directory: string
beforeEach(async () => {
  docker = await FakeDocker.start()
  docker.images.set('app:latest', 'sha256:app')
  directory = mkdtempSync(join(tmpdir(), 'docker-test-'))
})
afterEach(async () => {
  await docker.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A command as it is typed after `dinghy docker`. */
function run(...words: string[]): Promise<Ran> {
  return captured(async () => {
    const parsed = await command(() => ({ dockerSocket: docker.socketPath, kubeconfig: '' }), words)
    await parsed.exitOverride().parseAsync(words, { from: 'user' })
  })
}

describe('run', () => {
  test('in the foreground: its output, its exit code, and what was asked of the engine', async () => {
    const options = ['--rm', '-e', 'A=1', '-p', '8080:80', '-v', '/x:/y:ro', '-w', '/w', '-u', 'me', '--network', 'n']
    const { code, out, error } = await run('run', ...options, '--name', 'web', 'app', 'exit', '3', 'hello')
    expect([code, out, error]).toEqual([3, 'hello\n', undefined])
    const create = docker.requests.find(({ path }) => path === '/containers/create')
    expect(create?.query.get('name')).toBe('web')
    expect(create?.body).toMatchObject({
      Cmd: ['exit', '3', 'hello'],
      Env: ['A=1'],
      WorkingDir: '/w',
      User: 'me',
      HostConfig: { Binds: ['/x:/y:ro'], NetworkMode: 'n', AutoRemove: true },
    })
    expect(docker.containers.size).toBe(0)
  })

  test('in the background: its id', async () => {
    const { out } = await run('run', '-d', '--entrypoint', 'x', 'app')
    expect(docker.find(out.trim()).state).toBe('running')
    expect(docker.find(out.trim()).body).toMatchObject({ Entrypoint: ['x'], AttachStdout: false })
  })

  test('an image that is missing is pulled first', async () => {
    const { code, err } = await run('run', 'fresh', 'exit', '0')
    expect(code).toBe(0)
    expect(err).toContain("Unable to find image 'fresh' locally")
    expect(docker.requests.find(({ path }) => path === '/images/create')?.query.get('fromImage')).toBe('fresh:latest')
  })

  test.each([
    ['exec: "x": executable file not found in $PATH', 127],
    ['permission denied', 126],
    ['no room', 125],
  ])('a start that fails with %j ends with %i', async (message, expected) => {
    docker.beforeAnswer = ({ path }) => path.endsWith('/start') && docker.refuse(400, message)
    const { code, err } = await run('run', 'app')
    expect(code).toBe(expected)
    expect(err).toContain(`docker: Error response from daemon: ${message}`)
  })

  test('a signal is passed on', async () => {
    const running = run('run', '--name', 'web', 'app')
    await docker.until(() => docker.names('running').includes('web'))
    process.emit('SIGTERM')
    expect((await running).code).toBe(137)
    expect(process.listenerCount('SIGTERM')).toBe(0)
  })
})

describe('exec', () => {
  test('a command’s output and exit code; or nothing, with -d', async () => {
    await run('run', '-d', '--name', 'web', 'app')
    const { code, out } = await run('exec', '-e', 'A=1', '-u', 'me', '-w', '/w', 'web', 'exit', '4', 'said')
    expect([code, out]).toEqual([4, 'said\n'])
    const asked = docker.requests.findLast(({ path }) => path.endsWith('/exec'))
    expect(asked?.body).toMatchObject({ Cmd: ['exit', '4', 'said'], Env: ['A=1'], User: 'me', WorkingDir: '/w' })
    expect((await run('exec', 'web')).error?.message).toContain('name a container and a command')
    expect((await run('exec', 'nope', 'x')).error?.message).toContain('No such container: nope')
  })
})

describe('lists', () => {
  test('ps shows what runs, and with -a all', async () => {
    await run('run', '-d', '--name', 'web', '-p', '8080:80', 'app', 'serve', 'and-a-very-long-command')
    await run('run', '--name', 'job', 'app', 'exit', '2')
    const { out } = await run('ps')
    expect(out).toContain('0.0.0.0:8080->80/tcp')
    expect(out).toContain('"serve and-a-very-lo\u2026"')
    expect(out).not.toContain('job')
    expect((await run('ps', '-a')).out).toContain('Exited (2)')
    expect((await run('ps', '-q')).out).toBe(`${docker.find('web').id.slice(0, 12)}\n`)
  })

  test('images', async () => {
    docker.images.set('reg:5000/team/app:1', 'sha256:0123456789abcdef')
    const { out } = await run('images')
    expect(out.split('\n').at(-2)?.split(/ {2,}/)).toEqual([
      'reg:5000/team/app',
      '1',
      '0123456789ab',
      expect.stringContaining('ago'),
      '4.26MB',
    ])
    expect((await run('images', '-q')).out).toBe('app\n0123456789ab\n')
  })

  test('logs, with a terminal and without one', async () => {
    await run('run', '-d', '--name', 'web', 'app', 'say', 'hello')
    docker.write(docker.find('web'), 'oops\n', 'stderr')
    expect(await run('logs', '-t', '-n', '5', 'web')).toMatchObject({ out: 'hello\n', err: 'oops\n' })
    expect(docker.requests.at(-1)?.query.toString()).toBe('stdout=1&stderr=1&tail=5&timestamps=1')
    await run('run', '-d', '-t', '--name', 'term', 'app', 'say', 'plain')
    expect((await run('logs', 'term')).out).toBe('plain\n')
    const follow = run('logs', '-f', 'web')
    await expect.poll(() => docker.requests.at(-1)?.query.get('follow'), patient).toBe('1')
    docker.end(docker.find('web'), 0)
    expect((await follow).code).toBe(0)
  })
})

test('stop and rm name what they did', async () => {
  await run('run', '-d', '--name', 'web', 'app')
  expect((await run('stop', '-t', '3', 'web')).out).toBe('web\n')
  expect(docker.requests.findLast(({ path }) => path.endsWith('/stop'))?.query.get('t')).toBe('3')
  expect((await run('rm', '-f', '-v', 'web')).out).toBe('web\n')
  expect(docker.requests.at(-1)?.query.toString()).toBe('force=1&v=1')
  expect((await run('rm', 'web')).error?.message).toBe('Error response from daemon: No such container: web')
  for (const verb of ['stop', 'rm']) expect((await run(verb)).error?.message).toBe('name a container')
})

describe('build', () => {
  test('sends the context without what is ignored, and what was said', async () => {
    writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch')
    writeFileSync(join(directory, '.dockerignore'), 'node_modules\n!node_modules/kept')
    mkdirSync(join(directory, 'node_modules'))
    for (const name of ['kept', 'left']) writeFileSync(join(directory, 'node_modules', name), name)
    writeFileSync(join(directory, 'token'), 't0k')
    const options = ['-t', 'a', '-t', 'b:1', '--build-arg', 'A=1', '--target', 'x', '--no-cache']
    const secret = `id=token,src=${join(directory, 'token')}`
    const { out, error } = await run('build', ...options, '--secret', secret, directory)
    expect([out, error]).toEqual(['Step 1/1 : FROM scratch\nSuccessfully built\n', undefined])
    const [build] = docker.builds
    expect(build?.files.map(({ name }) => name)).toEqual([
      '.dockerignore',
      'Dockerfile',
      'node_modules',
      'node_modules/kept',
      'token',
    ])
    expect(build?.query.getAll('t')).toEqual(['a', 'b:1'])
    expect(Object.fromEntries(build?.query ?? [])).toMatchObject({ buildargs: '{"A":"1"}', target: 'x', nocache: '1' })
    expect(build?.headers['x-build-secrets']).toBeDefined()
  })

  test.each([
    [['/no/such/directory'], 'name the directory'],
    [['-f', '/elsewhere/Dockerfile', '.'], 'must be inside the context'],
    [['.', '.'], 'name the directory'],
  ])('%j is refused', async (words, message) => {
    expect((await run('build', ...words)).error?.message).toContain(message)
  })
})

describe('which engine', () => {
  const paths = () => ({ dockerSocket: '/cluster.sock', kubeconfig: '' })
  test.each([
    ['the cluster’s', {}, {}, '/cluster.sock'],
    ['DOCKER_HOST', {}, { DOCKER_HOST: 'unix:///env.sock' }, '/env.sock'],
    ['a cluster that is named', { cluster: 'x' }, { DOCKER_HOST: 'unix:///env.sock' }, '/cluster.sock'],
  ])('%s', (_case, flags, env, expected) => expect(socketOf(paths, flags, env)).toBe(expected))

  test('as the docker CLI chooses: a host, a context, the current context', () => {
    const meta = (context: string) =>
      join(directory, 'contexts', 'meta', createHash('sha256').update(context).digest('hex'))
    mkdirSync(meta('mine'), { recursive: true })
    const endpoints = { Endpoints: { docker: { Host: 'unix:///mine.sock' } } }
    writeFileSync(join(meta('mine'), 'meta.json'), JSON.stringify(endpoints))
    const env = { DOCKER_CONFIG: directory }
    expect(socketOfCli(env, { host: 'unix:///given.sock' })).toBe('/given.sock')
    expect(socketOfCli({ ...env, DOCKER_HOST: 'unix:///env.sock' }, {})).toBe('/env.sock')
    expect(socketOfCli({ ...env, DOCKER_HOST: 'unix:///env.sock' }, { context: 'mine' })).toBe('/mine.sock')
    expect(socketOfCli(env, {})).toBe('/var/run/docker.sock')
    writeFileSync(join(directory, 'config.json'), '{"currentContext":"mine"}')
    expect(socketOfCli(env, {})).toBe('/mine.sock')
    expect(() => socketOfCli(env, { context: 'other' })).toThrow('context "other" does not exist')
    expect(() => socketOfCli(env, { host: 'tcp://1.2.3.4:1' })).toThrow('speaks only unix sockets')
  })
})
