/** The commands as they are typed, against a supervisor whose processes only seem to run. */
import { X509Certificate } from 'node:crypto'
import { writeFileSync, existsSync, mkdirSync, appendFileSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { parse } from 'yaml'
import { systemClock } from '@dinghy/shared/api/clock'
import { HttpServer } from '@dinghy/shared/http/server'
import { ensureControlPlanePki, ensureIdentities } from '../cluster/pki.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { serveControl } from '../supervisor/control-server.ts'
import { type StopReport, Supervisor } from '../supervisor/supervisor.ts'
import { ownFile } from './kubeconfig.ts'
import { programFor } from './program.ts'
import { run } from '../testing/captured-output.ts'
import { FakeProcesses } from '../testing/fake-processes.ts'
import { someConfig, temporaryState } from '../testing/temporary-state.ts'

interface Running {
  state: StateDir
  processes: FakeProcesses
  here: string[]
}

/** A running cluster, and the words that lead to it. */
async function running(report: StopReport = { killed: [], stays: [] }): Promise<Running> {
  const state = temporaryState()
  const processes = new FakeProcesses()
  const { startProcess, askHealth, hasBecomeReady } = processes
  const config = structuredClone(someConfig)
  const hold = { close: () => undefined }
  const supervisor = new Supervisor({
    config,
    state,
    clock: systemClock,
    hold,
    startProcess,
    askHealth,
    hasBecomeReady,
  })
  const stop = async () => {
    await supervisor.stop({ graceMs: 0 })
    setImmediate(() => void server.close(0))
    return report
  }
  const server = await serveControl({ supervisor, state, stop })
  onTestFinished(async () => {
    await server.close(0)
    await supervisor.stop({ graceMs: 0 })
  })
  await supervisor.start()
  await expect.poll(() => supervisor.ready()).toBe(true)
  return { state, processes, here: ['--state-dir', state.root] }
}

async function debugServer(state: StateDir, name: string, pid: number, routes: (server: HttpServer) => void) {
  const server = new HttpServer()
  routes(server)
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close(0))
  writeFileSync(state.runFile(name), JSON.stringify({ pid, debug: url }))
}

const nowhere = ['--state-dir', '/no/such/dir']

test('status: for people, for programs, and as an exit code', async () => {
  const { processes, state, here } = await running()
  const text = await run('status', ...here)
  expect(text.code).toBe(0)
  expect(text.stdout).toContain('cluster "two"')
  expect(text.stdout).toMatch(/api-server +1000 {2}ready/)
  expect(text.stdout).toContain('127.95.0.0/16 (slot 31)')
  processes.of('scheduler').health = 'silent'
  const json = await run('status', '-o', 'json', ...here)
  expect(json.code).toBe(1)
  const { components } = JSON.parse(json.stdout) as { components: object[] }
  expect(components[1]).toEqual({ name: 'scheduler', pid: 1002, ready: false, restarts: 0, stopped: false, paused: [] })
  expect((await run('status', ...here)).stdout).toMatch(/scheduler +1002 {2}does not answer/)
  processes.of('controller').health = 'not ready'
  writeFileSync(state.log('controller'), '{"level":60,"msg":"no room"}\n')
  expect((await run('status', ...here)).stdout).toMatch(/controller +\d+ {2}not ready\n {4}no room\n/)
  expect(await run('status', '-o', 'yaml', ...here)).toMatchObject({ code: 2 })
  await expect(run('status', ...nowhere)).rejects.toThrow('no cluster is running in /no/such/dir; start one')
})

test('node stop and start', async () => {
  const { processes, here } = await running()
  expect(await run('node', 'stop', 'node-2', ...here)).toMatchObject({ code: 0, stdout: 'node node-2 is off\n' })
  expect(processes.of('proxy-node-2').signals).toEqual(['SIGKILL'])
  expect((await run('status', ...here)).stdout).toMatch(/proxy-node-2 +- {2}stopped/)
  expect((await run('node', 'start', 'node-2', ...here)).stdout).toBe('node node-2 is starting\n')
  await expect(run('node', 'stop', 'node-9', ...here)).rejects.toThrow('no node "node-9"')
})

test('down stops, says what it had to kill, and does nothing when nothing runs', async () => {
  const { state, here } = await running({ killed: ['runtime'], stays: ['proxy-node-1'] })
  const stopped = await run('down', '--grace', '0s', ...here)
  expect(stopped).toMatchObject({ code: 0, stdout: 'stopped cluster "two"\n' })
  expect(stopped.stderr).toContain('so they were killed: runtime')
  expect(stopped.stderr).toContain('not even SIGKILL ended them (they wait in the kernel): proxy-node-1')
  await expect.poll(() => existsSync(state.supervisorSocket)).toBe(false)
  expect((await run('down', ...here)).stdout).toContain('no cluster is running in')
  await expect(run('down', '--grace', 'soon', ...here)).rejects.toThrow('--grace takes a duration such as 5s')
})

test('down --wipe removes what is the cluster’s, and only that', async () => {
  const { state, here } = await running()
  writeFileSync(`${state.root}/thesis.txt`, '')
  expect((await run('down', '--wipe', ...here)).stdout).toContain('where other things lie: thesis.txt')
  expect(existsSync(state.config)).toBe(false)
  expect(await run('down', '--wipe', ...here)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('holds no cluster'),
  })
  const damaged = temporaryState()
  writeFileSync(damaged.config, '{')
  expect((await run('down', '--wipe', '--state-dir', damaged.root)).stdout).toBe(`removed ${damaged.root}\n`)
})

test('env and kubeconfig point at a cluster that is there', async () => {
  const state = temporaryState()
  const { stdout } = await run('env', '--state-dir', state.root)
  expect(stdout).toContain(`export KUBECONFIG=${state.kubeconfig}`)
  expect(stdout).toContain(`export DOCKER_HOST=unix://${state.dockerSocket}`)
  expect((await run('kubeconfig', '--state-dir', state.root)).stdout).toBe(`${state.kubeconfig}\n`)
  for (const command of ['env', 'kubeconfig'])
    expect(await run(command, ...nowhere)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('no cluster'),
    })
})

test('kubeconfig makes files for people, and merges clusters into one', async () => {
  const state = temporaryState()
  ensureControlPlanePki(someConfig, state, Date.now())
  ensureIdentities(someConfig, state, 'https://127.0.0.1:6474', Date.now())
  const here = ['--state-dir', state.root]
  const jane = parse((await run('kubeconfig', '--user', 'jane', '--group', 'dev', '--group', 'ops', ...here)).stdout)
  expect(jane['current-context']).toBe('jane@dinghy-two')
  const certificate = new X509Certificate(Buffer.from(jane.users[0].user['client-certificate-data'], 'base64'))
  expect(certificate.subject.split('\n')).toEqual(['O=dev', 'O=ops', 'CN=jane'])

  const file = join(state.root, 'config')
  vi.stubEnv('KUBECONFIG', file)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect((await run('kubeconfig', '--merge', ...here)).stdout).toBe(`dinghy-two is the current context of ${file}\n`)
  state.writeConfig({ ...someConfig, cluster: 'prod' })
  await run('kubeconfig', '--merge', ...here)
  await run('kubeconfig', '--merge', '--user', 'jane', ...here)
  const merged = parse(readFileSync(file, 'utf8'))
  expect(merged.contexts.map(({ name }: { name: string }) => name)).toEqual([
    'dinghy-two',
    'dinghy-prod',
    'jane@dinghy-prod',
  ])

  await expect(run('kubeconfig', '--group', 'dev', ...here)).rejects.toThrow('--group is said of a --user')
  await expect(run('kubeconfig', '--user', 'x', '--expires', 'soon', ...here)).rejects.toThrow('--expires takes')
  expect(ownFile(state, { KUBECONFIG: `${state.kubeconfig}:/x` }, '/home/me')).toBe('/home/me/.kube/config')
  expect(ownFile(state, { KUBECONFIG: '/x:/y' }, '/home/me')).toBe('/x')
  expect(ownFile(state, {}, '/home/me')).toBe('/home/me/.kube/config')
})

test('up refuses what cannot be, before anything is made, and a cluster that runs says how to reach it', async () => {
  await expect(run('up', '--nodes', '0', ...nowhere)).rejects.toThrow('--nodes takes a number')
  await expect(run('up', '--set', 'x.y=z', ...nowhere)).rejects.toThrow('there is no component "x"')
  await expect(run('up', '--state-dir', '')).rejects.toThrow('--state-dir takes a directory, not ""')
  const { here } = await running()
  const again = await run('up', ...here)
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is already running') })
  expect(again.stderr).toMatch(/env --state-dir .*\n.*down --state-dir/)
  expect((await run('up', '--detach', ...here)).code).toBe(0)
})

test('pause, queue, step and resume ask the component', async () => {
  const { state, here } = await running()
  const queue = { paused: true, queued: [{ key: 'a/b', cause: '7' }], processing: [], delayed: [], totals: {} }
  await debugServer(state, 'scheduler', 1_002, ({ app }) => {
    app.post('/debug/pause', () => ({ queues: { loop: { paused: true, length: 0 } } }))
    app.post('/debug/resume', () => ({ queues: { loop: { paused: false, length: 0 } } }))
    app.post('/debug/step', () => ({ queues: { loop: { stepped: 'a/b', length: 2 } } }))
    app.get('/debug/queue', () => ({ queues: { loop: queue } }))
  })
  await debugServer(state, 'api-server', 1_000, ({ app }) => void app.get('/debug/queue', () => ({ queues: {} })))
  expect((await run('pause', 'scheduler', ...here)).stdout).toContain('paused loop; `dinghy step scheduler`')
  expect((await run('step', 'scheduler/loop', ...here)).stdout).toBe('loop: let a/b through, 1 more wait\n')
  expect((await run('queue', 'scheduler', ...here)).stdout).toContain('waits    a/b  because of r7')
  expect((await run('resume', 'scheduler', ...here)).stdout).toBe('resumed loop\n')
  expect((await run('status', ...here)).stdout).toContain('paused: loop (`dinghy resume scheduler`)')
  await expect(run('queue', 'api-server', ...here)).rejects.toThrow('api-server has no control loops')
  await expect(run('pause', 'etcd', ...here)).rejects.toThrow('there is no "etcd" in this cluster; it has api-server')
  await expect(run('pause', 'controller', ...here)).rejects.toThrow('controller is not running')
})

test('logs: readable or raw, with what was cut off before', async () => {
  const state = temporaryState()
  const line = '{"level":40,"time":0,"pid":1,"name":"x","msg":"hello","n":{"a":1}}'
  writeFileSync(state.log('scheduler'), `${line}\nno JSON`)
  writeFileSync(`${state.log('scheduler')}.1`, 'older\n')
  const here = ['--state-dir', state.root]
  expect((await run('logs', 'scheduler', ...here)).stdout.split('\n')).toEqual([
    'scheduler older',
    'scheduler 00:00:00.000 warn hello n={"a":1}',
    'scheduler no JSON',
    '',
  ])
  expect((await run('logs', '--raw', ...here)).stdout).toContain(line)
  await expect(run('logs', 'etcd', ...here)).rejects.toThrow('no log of "etcd"; there are: scheduler')
  await expect(run('logs', ...nowhere)).rejects.toThrow('there is no cluster in /no/such/dir, so there are no logs')
})

test('logs -f follows a log over its cut, until Ctrl-C', async () => {
  const state = temporaryState()
  const lines: string[] = []
  const log = state.log('scheduler')
  writeFileSync(log, 'a long first line\n')
  const spy = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text))
  onTestFinished(() => spy.mockRestore())
  const words = ['logs', 'scheduler', '-f', '--raw', '--state-dir', state.root]
  const following = (await programFor(words)).parseAsync(words, { from: 'user' })
  await expect.poll(() => lines).toEqual(['a long first line'])
  writeFileSync(log, 'cut\n')
  await expect.poll(() => lines.at(-1)).toBe('cut')
  appendFileSync(log, 'more\n')
  await expect.poll(() => lines.at(-1)).toBe('more')
  process.emit('SIGINT')
  await following
})

test('snapshots of a stopped cluster come back as they were', async () => {
  const state = temporaryState({ ...someConfig, driver: 'process' })
  const here = ['--state-dir', state.root]
  mkdirSync(`${state.runtimeRoot}/images`)
  writeFileSync(`${state.runtimeRoot}/images/one`, 'kept')
  expect((await run('snapshot', 'save', 'a', ...here)).stdout).toContain('saved "a" in')
  await expect(run('snapshot', 'save', 'a', ...here)).rejects.toThrow('there is a copy "a" already')
  await expect(run('snapshot', 'restore', 'a', ...here)).rejects.toThrow('`dinghy down --wipe` removes it')
  await expect(run('snapshot', 'save', '../x', ...here)).rejects.toThrow('is no name for a copy')
  await run('down', '--wipe', ...here)
  await expect(run('snapshot', 'save', 'b', ...here)).rejects.toThrow('there is no cluster in')
  await expect(run('snapshot', 'restore', 'b', ...here)).rejects.toThrow('there is no copy "b"')
  expect((await run('snapshot', 'list', ...here)).stdout).toMatch(/^a {24}\d{4}-/)
  expect((await run('snapshot', 'restore', 'a', ...here)).stdout).toContain('`dinghy up` resumes it')
  expect(existsSync(`${state.runtimeRoot}/images/one`)).toBe(true)
  rmSync(`${state.snapshot('a')}/.origin`)
  expect((await run('snapshot', 'list', ...here)).stdout).toContain('(not whole)')
  await run('down', '--wipe', ...here)
  await expect(run('snapshot', 'restore', 'a', ...here)).rejects.toThrow('is not whole')
  writeFileSync(`${state.snapshot('a')}/.origin`, '/elsewhere')
  await expect(run('snapshot', 'restore', 'a', ...here)).rejects.toThrow('was taken of /elsewhere')
  expect((await run('snapshot', 'rm', 'a', ...here)).stdout).toBe('removed "a"\n')
  expect(existsSync(dirname(state.snapshot('a')))).toBe(true)
})

test('a snapshot of a running cluster is refused', async () => {
  const { here } = await running()
  await expect(run('snapshot', 'save', 'a', ...here)).rejects.toThrow('stop it first with `dinghy down`')
})

test('why and history ask the API server about the object that was named', async () => {
  const asked: string[] = []
  const resources = [
    {
      resource: 'pods',
      responseKind: { kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      shortNames: ['po'],
      verbs: [],
    },
    { resource: 'nodes', responseKind: { kind: 'Node' }, scope: 'Cluster', singularResource: 'node', verbs: [] },
  ]
  const server = new HttpServer()
  const core = { items: [{ metadata: {}, versions: [{ version: 'v1', resources }] }] }
  server.app.get('/api', () => core)
  server.app.get('/apis', () => ({ items: [] }))
  const write = {
    revision: 3,
    kind: 'Pod',
    name: 'web',
    verb: 'create',
    actor: 'you',
    at: '2026-01-01T00:00:00Z',
    facts: [],
    changed: [''],
  }
  server.app.get('/debug/why', ({ url }) => {
    asked.push(url)
    return { chain: [write] }
  })
  server.app.get('/debug/history', ({ url }) => {
    asked.push(url)
    return { revisions: [write] }
  })
  const { here, state } = await running()
  await server.listen({ socketPath: state.adminSocket })
  onTestFinished(() => server.close(0))
  expect((await run('why', 'po/web', '-n', 'shop', ...here)).stdout).toContain('pod/web created by you  r3')
  expect(JSON.parse((await run('why', 'pod', 'web', '-o', 'json', ...here)).stdout)).toEqual([write])
  expect((await run('history', 'node/web', '--diff', ...here)).stdout).toContain('create by you')
  expect(JSON.parse((await run('history', 'pod/web', '-o', 'json', ...here)).stdout)).toEqual([write])
  expect(asked).toEqual([
    '/debug/why?group=&resource=pods&name=web&namespace=shop',
    '/debug/why?group=&resource=pods&name=web&namespace=default',
    '/debug/history?group=&resource=nodes&name=web&diff=true',
    '/debug/history?group=&resource=pods&name=web&namespace=default',
  ])
  await expect(run('why', 'web', ...here)).rejects.toThrow('name an object as KIND/NAME')
  await expect(run('why', 'pod/web', ...nowhere)).rejects.toThrow('no cluster is running')
})
