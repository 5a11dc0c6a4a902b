/**
 * The whole agent, against a small API server and a small engine, both over real sockets.
 */

import { setMaxListeners } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '@dinghy/shared/api/clock'
import { getCondition } from '@dinghy/shared/api/conditions'
import {
  ConfigMaps,
  Events,
  Leases,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
} from '@dinghy/shared/api/resources'
import type { Pod, PodSpec } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { createLogger } from '@dinghy/shared/process/logger'
import { runNodeAgent } from './node-agent.ts'
import { FakeEngine } from './testing/fake-engine.ts'
import { configMap, container, pod, podUid } from './testing/objects.ts'
import { until as untilSo } from './testing/until.ts'

let directory: string
let api: TinyApiServer
let engine: FakeEngine
let stop: AbortController
let running: Promise<void>
let runtimeGraceMs: number
/** What the process' readiness says. */
let hasStarted: () => boolean

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'node-agent-'))
  api = await TinyApiServer.start()
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  // A busy machine must not make a node NotReady; tests of that have less patience.
  runtimeGraceMs = 60_000
  startAgent()
})

afterEach(async () => {
  await stopAgent()
  await engine.close()
  await api.close()
  await rm(directory, { recursive: true })
})

function startAgent(): void {
  stop = new AbortController()
  setMaxListeners(0, stop.signal) // as runMain does
  running = runNodeAgent(
    {
      credentials: { server: api.url },
      tls: undefined,
      node: 'node-1',
      address: '127.0.0.1',
      podCidr: '127.0.0.0/24',
      namespaceFile: undefined,
      kubeletPort: 0,
      dockerSocket: join(directory, 'docker.sock'),
      root: join(directory, 'node-1'),
      logDirectory: undefined,
      sandboxImage: 'registry.k8s.io/pause:3.10',
      dns: { servers: [], domain: 'cluster.local' },
      crashLoop: { baseMs: 60, maxMs: 1000 },
      leasePeriodMs: 50,
      statusPeriodMs: 200,
      relistMs: 50,
      runtimeGraceMs,
      runtimeTimeoutMs: 10_000,
      clock: systemClock,
      log: createLogger({ name: 'test', clock: systemClock, write: () => undefined }),
      onStarting: (check) => (hasStarted = check),
    },
    stop.signal,
  )
}

async function restartAgent({ graceMs }: { graceMs: number }): Promise<void> {
  await stopAgent()
  runtimeGraceMs = graceMs
  startAgent()
}

async function stopAgent(): Promise<void> {
  stop.abort()
  await running.catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
}

function until(condition: () => unknown): Promise<void> {
  return untilSo(condition, describeAll)
}

/** For the message of a failed test. */
function describeAll(): string {
  const events = api.all(Events).map(({ type, reason, message }) => `${type} ${reason} ${message}`)
  return [JSON.stringify(current()?.status, null, 1), ...events, ...engine.requests.slice(-20)].join('\n')
}

function create(spec: Partial<PodSpec>, metadata: Partial<Pod['metadata']> = {}) {
  return api.put(Pods, pod(spec, {}, metadata))
}
function serving(overrides = {}) {
  return container({ command: ['serve'], ...overrides })
}
function current() {
  return api.read(Pods, 'web', 'default')
}
function status() {
  return current()?.status
}
function first() {
  return status()?.containerStatuses?.[0]
}
function isReady() {
  return getCondition(status()?.conditions, 'Ready')?.status === 'True'
}
function reasons() {
  return api.all(Events).map(({ reason }) => reason)
}
/** Where the machine keeps what the container sees at `target`. */
function mountedAt(target: string): string {
  const { Mounts = [] } = defined(engine.find('app')).body.HostConfig
  return defined(Mounts.find(({ Target }) => Target === target)?.Source)
}
function eventText(reason: string) {
  return api.all(Events).find((event) => event.reason === reason)?.message
}

/** As the api-server does it for a pod: the object stays until the node lets it go. */
function remove(graceSeconds: number): void {
  const object = defined(current())
  const deletionTimestamp = new Date(Date.now() + graceSeconds * 1000).toISOString()
  const metadata = { ...object.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds }
  api.put(Pods, { ...object, metadata })
}

describe('a node', () => {
  test('registers, reports Ready, renews its lease and makes its network', async () => {
    await until(() => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')?.status === 'True')
    const node = defined(api.read(Nodes, 'node-1'))
    expect(node.status.nodeInfo?.containerRuntimeVersion).toBe('docker://0.0.1-fake')
    expect(node.spec.podCIDR).toBe('127.0.0.0/24')
    await until(() => api.read(Leases, 'node-1', 'kube-node-lease'))
    const renewed = api.read(Leases, 'node-1', 'kube-node-lease')?.spec.renewTime
    await until(() => api.read(Leases, 'node-1', 'kube-node-lease')?.spec.renewTime !== renewed)
    expect(engine.networks.get('node-1')).toMatchObject({
      Driver: 'loopback',
      IPAM: { Config: [{ Subnet: '127.0.0.0/24' }] },
    })
  })

  test('whose agent is told to stop while it is still starting ends', async () => {
    await api.close()
    await stopAgent()
    startAgent()
    await stopAgent()
    await api.listen()
  })

  test('is not Ready while its runtime is away', async () => {
    await restartAgent({ graceMs: 1_500 })
    const ready = () => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')
    await until(() => ready()?.status === 'True')
    await engine.close()
    await until(() => ready()?.status === 'False')
    expect(ready()).toMatchObject({ reason: 'KubeletNotReady', message: 'container runtime is down' })
    await engine.listen(join(directory, 'docker.sock'))
    await until(() => ready()?.status === 'True')
  })

  test('is not Ready while its runtime hangs, and goes on when that does', async () => {
    await restartAgent({ graceMs: 1_500 })
    const ready = () => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')?.status
    await until(() => ready() === 'True')
    engine.hang()
    create({ containers: [serving()] })
    await until(() => ready() === 'False')
    // Its sign of life does not hang with the runtime.
    const renewed = api.read(Leases, 'node-1', 'kube-node-lease')?.spec.renewTime
    await until(() => api.read(Leases, 'node-1', 'kube-node-lease')?.spec.renewTime !== renewed)
    engine.resume()
    await until(() => ready() === 'True')
    await until(isReady)
  })

  test('is Ready before its agent counts as ready', async () => {
    const ready = () => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')?.status
    await until(hasStarted)
    expect(ready()).toBe('True')
    await stopAgent()
    engine.hang()
    runtimeGraceMs = 50
    startAgent()
    await until(() => ready() === 'False')
    expect(hasStarted()).toBe(false)
    engine.resume()
    await until(hasStarted)
    expect(ready()).toBe('True')
  })

  test('becomes and stays one that others have written to, and takes pods by what it says now', async () => {
    await until(() => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')?.status === 'True')
    const node = defined(api.read(Nodes, 'node-1'))
    api.put(Nodes, {
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata.labels, disk: 'ssd' } },
      status: { ...node.status, capacity: { ...node.status.capacity, 'example.com/dongle': '2' } },
    })
    const requests = { 'example.com/dongle': '2' }
    create({ nodeSelector: { disk: 'ssd' }, containers: [serving({ resources: { requests } })] })
    await until(isReady)
    await until(() => api.read(Nodes, 'node-1')?.status.allocatable?.['example.com/dongle'] === '2')
    expect(api.read(Nodes, 'node-1')?.status.capacity?.['example.com/dongle']).toBe('2')
    api.put(Pods, pod({ containers: [serving({ resources: { requests } })] }, {}, { name: 'more', uid: 'more' }))
    await until(() => api.read(Pods, 'more', 'default')?.status.phase === 'Failed')
    expect(api.read(Pods, 'more', 'default')?.status.reason).toBe('OutOfexample.com/dongle')
  })

  test('does not take a pod whose label it does not have', async () => {
    await until(() => reasons().includes('Starting'))
    create({ nodeSelector: { disk: 'ssd' }, containers: [serving()] })
    await until(() => status()?.phase === 'Failed')
    expect(status()).toMatchObject({ reason: 'NodeAffinity', message: expect.stringMatching(/NodeAffinity/) as string })
  })

  test('writes its status only when it has changed', async () => {
    engine.images.add('host-base:1')
    engine.sizes.set('host-base:1', 0)
    const writes = () => api.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('node-1/status'))
    const named = () => api.read(Nodes, 'node-1')?.status.images?.flatMap(({ names }) => names) ?? []
    await until(() => named().includes('host-base:1'))
    const looks = () => engine.requests.filter((request) => request === 'GET /images/json').length
    const before = { writes: writes().length, looks: looks() }
    await until(() => looks() > before.looks + 1)
    expect(writes()).toHaveLength(before.writes)
  })

  test('stays Ready when its agent starts again while its runtime does so too', async () => {
    const ready = () => getCondition(api.read(Nodes, 'node-1')?.status.conditions, 'Ready')
    const renewed = () => api.read(Leases, 'node-1', 'kube-node-lease')?.spec.renewTime
    const starts = () => reasons().filter((reason) => reason === 'Starting').length
    await until(() => ready()?.status === 'True' && starts() === 1)
    await stopAgent()
    await engine.close()
    const before = renewed()
    startAgent()
    await until(() => renewed() !== before)
    await engine.listen(join(directory, 'docker.sock'))
    await until(() => starts() === 2)
    expect(ready()?.status).toBe('True')
    expect(reasons()).not.toContain('NodeNotReady')
  })
})

describe('a pod', () => {
  test('becomes Running and Ready, with upstream’s events and few requests', async () => {
    // No pod is bound to a node that has not registered.
    await until(() => reasons().includes('Starting'))
    create({ containers: [serving()] })
    await until(isReady)
    expect(status()).toMatchObject({ phase: 'Running', hostIP: '127.0.0.1' })
    expect(first()).toMatchObject({ ready: true, started: true, restartCount: 0 })
    expect(first()?.containerID).toBe(`docker://${defined(engine.find('app')).id}`)
    await until(() => reasons().includes('Started'))
    expect(reasons().filter((reason) => !reason?.startsWith('Node'))).toEqual([
      'Starting',
      'Pulled',
      'Created',
      'Started',
    ])
    expect(defined(engine.find('app')).body.HostConfig.NetworkMode).toBe(`container:${defined(engine.find('POD')).id}`)
    const writes = api.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/pods/web/status'))
    expect(writes.length).toBeLessThanOrEqual(3)
  })

  test('shows why its image cannot be had, and backs off', async () => {
    create({ containers: [serving({ image: 'broken:1' })] })
    await until(() => first()?.state?.waiting?.reason === 'ErrImagePull')
    expect(first()?.state?.waiting?.message).toBe('pull access denied for broken:1')
    await until(() => first()?.state?.waiting?.reason === 'ImagePullBackOff')
    expect(first()?.state?.waiting?.message).toMatch(/^Back-off pulling image "broken:1"/)
    expect(eventText('Failed')).toBe('Failed to pull image "broken:1": pull access denied for broken:1')
    expect(engine.pulled).toEqual(['broken:1'])
  })

  test('that keeps ending is restarted ever more slowly', async () => {
    create({ containers: [container({ command: ['exit', '3', 'bye'] })] })
    await until(() => first()?.state?.waiting?.reason === 'CrashLoopBackOff')
    expect(first()?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
    expect(first()?.state?.waiting?.message).toMatch(/^back-off \d+m?s restarting failed container=app pod=web_default/)
    await until(() => (first()?.restartCount ?? 0) >= 3)
    expect(engine.all('app').length).toBeLessThanOrEqual(3)
    expect(status()?.phase).toBe('Running')
  })

  test('that cannot be started says so', async () => {
    create({ containers: [container({ command: ['missing'] })] })
    await until(() => first()?.state?.waiting?.reason === 'RunContainerError')
    expect(first()?.state?.waiting?.message).toContain('executable file not found in $PATH')
    await until(() => first()?.lastState?.terminated?.reason === 'StartError')
    expect(first()?.lastState?.terminated?.exitCode).toBe(127)
  })

  test('shows what the engine refuses', async () => {
    create({ containers: [serving({ resources: { limits: { cpu: '666m' } } })] })
    await until(() => first()?.state?.waiting?.reason === 'CreateContainerError')
    expect(first()?.state?.waiting?.message).toBe('this engine cannot limit CPUs')
  })

  test('runs its init containers first, in order', async () => {
    const initContainers = ['a', 'b'].map((name) => container({ name, command: ['exit', '0'] }))
    create({ initContainers, containers: [serving()] })
    await until(isReady)
    const names = [...engine.containers.values()].map(({ body }) => body.Labels['io.kubernetes.container.name'])
    expect(names).toEqual(['POD', 'a', 'b', 'app'])
    expect(status()?.initContainerStatuses?.map(({ ready }) => ready)).toEqual([true, true])
  })

  test('that is done has Succeeded, and its sandbox is gone', async () => {
    create({ restartPolicy: 'Never', containers: [container({ command: ['exit', '0'] })] })
    await until(() => status()?.phase === 'Succeeded')
    expect(first()?.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' })
    await until(() => engine.find('POD')?.state.Running === false)
    expect(engine.find('app')).toBeDefined()
  })

  test('waits for a missing ConfigMap, and starts the moment it is there', async () => {
    create({
      volumes: [{ name: 'cfg', configMap: { name: 'settings' } }],
      containers: [serving({ volumeMounts: [{ name: 'cfg', mountPath: '/cfg' }] })],
    })
    await until(() => reasons().includes('FailedMount'))
    expect(eventText('FailedMount')).toBe('MountVolume.SetUp failed for volume "cfg" : configmap "settings" not found')
    expect(engine.find('app')).toBeUndefined()
    api.put(ConfigMaps, configMap('settings', { color: 'blue' }))
    await until(isReady)
    const source = mountedAt('/cfg')
    expect(await readFile(join(source, 'color'), 'utf8')).toBe('blue')
    api.put(ConfigMaps, configMap('settings', { color: 'red' }))
    for (let text = ''; text !== 'red';) text = await readFile(join(source, 'color'), 'utf8')
  })

  test('that had to wait goes on as an answer to the write that it waited with', async () => {
    const persistentVolumeClaim = { claimName: 'data' }
    const volumes = [{ name: 'data', persistentVolumeClaim }]
    const mounted = serving({ volumeMounts: [{ name: 'data', mountPath: '/data' }] })
    const { metadata } = create({ volumes, containers: [mounted] })
    await until(() => reasons().includes('FailedMount'))
    expect(eventText('FailedMount')).toContain('persistentvolumeclaims "data" not found')
    const local = { path: join(directory, 'data'), type: 'DirectoryOrCreate' }
    api.put(PersistentVolumes, { metadata: { name: 'pv' }, spec: { hostPath: local }, status: {} })
    const spec = { volumeName: 'pv' }
    api.put(PersistentVolumeClaims, {
      metadata: { name: 'data', namespace: 'default' },
      spec,
      status: { phase: 'Bound' },
    })
    await until(isReady)
    const writes = api.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/pods/web/status'))
    const started = writes.find(({ body }) => (body as Pod).status.phase === 'Running')
    expect(started?.headers['x-dinghy-cause']).toBe(metadata.resourceVersion)
  })

  test('with a missing variable source shows CreateContainerConfigError', async () => {
    const valueFrom = { configMapKeyRef: { name: 'settings', key: 'color' } }
    create({ containers: [serving({ env: [{ name: 'COLOR', valueFrom }] })] })
    await until(() => first()?.state?.waiting?.reason === 'CreateContainerConfigError')
    expect(first()?.state?.waiting?.message).toBe('configmap "settings" not found')
    api.put(ConfigMaps, configMap('settings', { color: 'blue' }))
    await until(isReady)
    expect(defined(engine.find('app')).body.Env).toContain('COLOR=blue')
  })

  test('whose image is changed in place gets a new container', async () => {
    const created = create({ containers: [serving()] })
    await until(isReady)
    engine.images.add('busybox:2')
    api.put(Pods, { ...defined(current()), spec: { ...created.spec, containers: [serving({ image: 'busybox:2' })] } })
    await until(() => first()?.image === 'busybox:2' && first()?.ready)
    expect(first()?.restartCount).toBe(1)
    await until(() => eventText('Killing'))
    expect(eventText('Killing')).toBe('Container app definition changed, will be restarted')
  })

  test('is restarted when its liveness probe fails', async () => {
    const livenessProbe = { exec: { command: ['exit', '1', 'ill'] }, periodSeconds: 1, failureThreshold: 1 }
    create({ containers: [serving({ livenessProbe })] })
    await until(() => (first()?.restartCount ?? 0) > 0)
    expect(eventText('Unhealthy')).toBe('Liveness probe failed: ill')
    expect(eventText('Killing')).toBe('Container app failed liveness probe, will be restarted')
  })

  test('is ready when its readiness probe says so', async () => {
    const readinessProbe = { exec: { command: ['exit', '0'] }, periodSeconds: 10 }
    create({ containers: [serving({ readinessProbe })] })
    await until(isReady)
    expect(engine.executed).toEqual([['exit', '0']])
  })

  test('runs its hooks', async () => {
    const exec = (word: string) => ({ exec: { command: ['exit', '0', word] } })
    create({ containers: [serving({ lifecycle: { postStart: exec('hello'), preStop: exec('goodbye') } })] })
    await until(isReady)
    remove(5)
    await until(() => !current())
    expect(engine.executed).toEqual([
      ['exit', '0', 'hello'],
      ['exit', '0', 'goodbye'],
    ])
  })

  test('whose postStart hook fails says so, and is restarted', async () => {
    const postStart = { exec: { command: ['exit', '1', 'no'] } }
    create({ containers: [serving({ lifecycle: { postStart } })] })
    await until(() => first()?.state?.waiting?.reason === 'PostStartHookError')
    expect(first()?.state?.waiting?.message).toContain("command 'exit 1 no' exited with 1: no")
    await until(() => reasons().includes('FailedPostStartHook'))
    await until(() => (first()?.restartCount ?? 0) > 0)
  })

  test('brings the image of its sandbox, where the engine does not have it', async () => {
    engine.images.delete('registry.k8s.io/pause:3.10')
    create({ containers: [serving()] })
    await until(isReady)
    expect(engine.pulled).toEqual(['registry.k8s.io/pause:3.10'])
  })

  test('is told which variables cannot be had', async () => {
    api.put(ConfigMaps, configMap('settings', { COLOR: 'blue', 'A=B': 'x' }))
    create({ containers: [serving({ envFrom: [{ configMapRef: { name: 'settings' } }] })] })
    await until(isReady)
    expect(defined(engine.find('app')).body.Env).toContain('COLOR=blue')
    await until(() => reasons().includes('InvalidEnvironmentVariableNames'))
    expect(eventText('InvalidEnvironmentVariableNames')).toBe(
      'Keys [A=B] from the EnvFrom configMap default/settings were skipped since they are considered invalid environment ' +
        'variable names.',
    )
  })

  test('ends at its deadline', async () => {
    create({ activeDeadlineSeconds: 1, containers: [serving()] })
    await until(() => status()?.phase === 'Failed')
    expect(status()).toMatchObject({ reason: 'DeadlineExceeded' })
    await until(() => engine.find('app')?.state.Running === false)
  })

  test('goes when it fills a volume beyond its limit', async () => {
    const volume = join(directory, 'node-1/pods', podUid, 'volumes/kubernetes.io~empty-dir/tmp')
    await mkdir(volume, { recursive: true })
    await writeFile(join(volume, 'large'), Buffer.alloc(20_000, 1))
    create({ volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '10k' } }], containers: [serving()] })
    await until(() => status()?.phase === 'Failed')
    const message = 'Usage of EmptyDir volume "tmp" exceeds the limit "10k". '
    expect(status()).toMatchObject({ reason: 'Evicted', message })
    await until(() => engine.find('app')?.state.Running === false)
  })

  test('that does not fit is refused', async () => {
    create({ containers: [serving({ resources: { requests: { cpu: '10k' } } })] })
    await until(() => status()?.phase === 'Failed')
    expect(status()?.reason).toBe('OutOfcpu')
    expect(status()?.message).toMatch(/^Pod was rejected: Node didn't have enough resource: cpu, requested: 10000000/)
    expect(engine.containers.size).toBe(0)
  })
})

describe('the end of a pod', () => {
  test('leaves nothing behind: no object, no container, no file', async () => {
    create({ volumes: [{ name: 'tmp', emptyDir: {} }], containers: [serving()] })
    await until(isReady)
    const app = defined(engine.find('app'))
    remove(30)
    await until(() => !current())
    expect(app.signals).toEqual(['TERM'])
    await until(() => engine.containers.size === 0)
    await expect(readFile(join(directory, 'node-1/pods', podUid))).rejects.toThrow('ENOENT')
    const writes = api.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/pods/web/status'))
    const last = writes.at(-1)?.body as Pod | undefined
    expect(last?.status.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(143)
  })

  test('can be hastened', async () => {
    create({ containers: [container({ command: ['stubborn'] })] })
    await until(isReady)
    remove(3600)
    await until(() => engine.find('app')?.signals.includes('TERM'))
    remove(0)
    await until(() => !current())
  })

  test('comes too when the object vanished at once', async () => {
    create({ containers: [serving()] })
    await until(isReady)
    api.remove(Pods, 'web', 'default')
    await until(() => engine.containers.size === 0)
  })

  test('comes too when the object vanished while the agent was away', async () => {
    create({ containers: [serving()] })
    await until(isReady)
    await stopAgent()
    api.remove(Pods, 'web', 'default')
    startAgent()
    await until(() => engine.containers.size === 0)
  })
})

describe('an agent that is killed and started again', () => {
  test('goes on: nothing is lost, nothing doubled, nothing restarted', async () => {
    create({ containers: [serving()] })
    await until(isReady)
    const before = { ids: [...engine.containers.keys()], revision: current()?.metadata.resourceVersion }
    await stopAgent()
    engine.requests.length = 0
    startAgent()
    await until(() => engine.requests.filter((request) => request === 'GET /containers/json').length >= 5)
    expect([...engine.containers.keys()]).toEqual(before.ids)
    expect(current()?.metadata.resourceVersion).toBe(before.revision)
  })

  test('restarts what ended meanwhile, and counts on', async () => {
    create({ containers: [serving()] })
    await until(isReady)
    await stopAgent()
    engine.end(defined(engine.find('app')), 1)
    startAgent()
    await until(() => first()?.restartCount === 1 && first()?.ready)
    expect(engine.all('app')).toHaveLength(2)
  })

  test('begins anew when everything died with the machine', async () => {
    create({ containers: [serving()] })
    await until(isReady)
    await stopAgent()
    for (const one of engine.containers.values()) engine.end(one, 137)
    startAgent()
    await until(() => first()?.restartCount === 1 && first()?.ready)
    expect(engine.all('POD').filter(({ state }) => state.Running)).toHaveLength(1)
  })
})
