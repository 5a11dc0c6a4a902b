/**
 * What people run on a cluster and how it must behave: crashes, probes, configuration, init containers, graceful ends,
 * Services, disruption budgets, Jobs, rollbacks, namespaces. One cluster for all; every manifest is applied at the
 * start, so that the pods of one test start while another one waits.
 *
 * Scripts name files by variables ($WORK/log): the process driver, which is all that a machine may allow, translates
 * paths in arguments and variables but cannot see those inside a script.
 */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { V1ContainerStatus, V1Deployment, V1EndpointSliceList, V1Job, V1Pod } from '@kubernetes/client-node'
import { Cluster, type Output, until } from './harness/cluster.ts'

const cluster = new Cluster(2)
const witnesses = join(cluster.stateDir, 'witnesses')

beforeAll(() => {
  cluster.up()
  mkdirSync(witnesses)
  for (const name of ['doomed', 'rolling']) apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  apply(...workloads())
})
afterAll(() => cluster.destroy())

type Manifest = { apiVersion: string; kind: string; metadata: object; [field: string]: unknown }

function apply(...manifests: Manifest[]): void {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests })
  const { code, stderr } = cluster.kubectl(['apply', '-f', '-'], list)
  expect(code, stderr).toBe(0)
}

function exec(pod: string, script: string, input?: string): Output {
  return cluster.kubectl(['exec', ...(input === undefined ? [] : ['-i']), pod, '--', 'sh', '-c', script], input)
}

async function get<T>(path: string): Promise<T> {
  const response = await cluster.fetch(path)
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return (await response.json()) as T
}

async function pods(selector: string, namespace = 'default'): Promise<V1Pod[]> {
  return (await cluster.core.listNamespacedPod({ namespace, labelSelector: selector })).items
}

function pod(name: string): Promise<V1Pod> {
  return cluster.core.readNamespacedPod({ name, namespace: 'default' })
}

async function container(name: string): Promise<V1ContainerStatus | undefined> {
  return (await pod(name)).status?.containerStatuses?.[0]
}

function isReady({ status }: V1Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
}

async function untilReady(name: string, ready = true): Promise<V1Pod> {
  return until(`${name} to be ${ready ? 'Ready' : 'unready'}`, async () => {
    const now = await pod(name)
    return isReady(now) === ready && now
  })
}

const sleeping = 'trap exit TERM; sleep 100000 & wait'

/** A directory of the pod's own, /work, for a container that has `work` in it. */
const workVolume = { name: 'work', emptyDir: {} }
const work = {
  env: [{ name: 'WORK', value: '/work' }],
  volumeMounts: [{ name: 'work', mountPath: '/work' }],
}

function workloads(): Manifest[] {
  return [
    podOf('caller', {
      command: ['sh', '-c', sleeping],
      env: [{ name: 'ACCOUNT', value: '/var/run/secrets/kubernetes.io/serviceaccount' }],
    }),
    podOf('crash', { command: ['sh', '-c', 'echo bye; exit 3'] }),
    podOf(
      'twice',
      {
        command: ['sh', '-c', `[ -f $WORK/f ] || { touch $WORK/f; echo first; exit 7; }; echo second; ${sleeping}`],
        ...work,
      },
      { volumes: [workVolume] },
    ),
    podOf(
      'probed',
      {
        command: ['sh', '-c', `touch $WORK/alive $WORK/ready; ${sleeping}`],
        ...work,
        // On a busy machine an exec may take longer than the second that a probe has by default, and the shell longer
        // than three checks before it touches the files.
        livenessProbe: { ...probe('alive'), failureThreshold: 1 },
        readinessProbe: { ...probe('ready'), failureThreshold: 1 },
        startupProbe: { ...probe('alive'), failureThreshold: 60 },
      },
      { volumes: [workVolume] },
    ),
    podOf('privileged', {
      command: ['sh', '-c', `echo goodbye > $LAST_WORDS; ${sleeping}`],
      env: [{ name: 'LAST_WORDS', value: '/dev/termination-log' }],
      securityContext: { privileged: true },
    }),
    colors('blue'),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'safe' }, stringData: { word: 'open sesame' } },
    configured,
    inOrder,
    podOf(
      'never-starts',
      { command: ['sh', '-c', 'echo started'] },
      {
        restartPolicy: 'Never',
        initContainers: [{ name: 'gate', image: 'busybox', command: ['sh', '-c', 'exit 1'] }],
      },
    ),
    podOf(
      'graceful',
      {
        command: ['sh', '-c', 'trap "echo term >> $WORK/graceful; exit" TERM; touch $WORK/up; sleep 100000 & wait'],
        ...work,
        readinessProbe: { exec: { command: ['test', '-f', '/work/up'] }, periodSeconds: 1 },
        lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo prestop >> $WORK/graceful'] } } },
      },
      { terminationGracePeriodSeconds: 20, volumes: [{ name: 'work', hostPath: { path: witnesses } }] },
    ),
    deployment('web', 2, {
      image: 'node',
      command: ['node', '-e', `require('http').createServer((q, s) => s.end(process.env.HOSTNAME)).listen(8080)`],
      ports: [{ name: 'page', containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/', port: 'page' }, periodSeconds: 1 },
    }),
    service('web', { ports: [{ port: 8000, targetPort: 'page' }] }),
    service('web-headless', { clusterIP: 'None', ports: [{ port: 8000, targetPort: 'page' }] }),
    budget(2),
    job('counts', { completions: 3, parallelism: 2 }, 'exit 0'),
    job('gives-up', { backoffLimit: 0 }, 'exit 1'),
    inNamespace('doomed', deployment('inhabitant', 2, { command: ['sh', '-c', sleeping] })),
    inNamespace('doomed', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'belonging' } }),
    release('1'),
  ]
}

function podOf(name: string, container: object, spec: object = {}): Manifest {
  const containers = [{ name: 'main', image: 'busybox', ...container }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers, ...spec },
  }
}

function probe(file: string): object {
  return { exec: { command: ['test', '-f', `/work/${file}`] }, periodSeconds: 1, timeoutSeconds: 30 }
}

function deployment(name: string, replicas: number, container: object): Manifest {
  const labels = { app: name }
  const containers = [{ name: 'main', image: 'busybox', ...container }]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers } },
    },
  }
}

function service(name: string, spec: object): Manifest {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: 'web' }, ...spec } }
}

function budget(minAvailable: number): Manifest {
  const spec = { minAvailable, selector: { matchLabels: { app: 'web' } } }
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web' }, spec }
}

function job(name: string, spec: object, script: string): Manifest {
  const containers = [{ name: 'main', image: 'busybox', command: ['sh', '-c', script] }]
  const template = { spec: { restartPolicy: 'Never', containers } }
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { template, ...spec } }
}

function inNamespace(namespace: string, manifest: Manifest): Manifest {
  return { ...manifest, metadata: { ...manifest.metadata, namespace } }
}

function release(version: string): Manifest {
  const env = [{ name: 'VERSION', value: version }]
  return inNamespace('rolling', deployment('release', 2, { command: ['sh', '-c', sleeping], env }))
}

function colors(color: string): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'colors' }, data: { color } }
}

const configured = podOf(
  'configured',
  {
    command: ['sh', '-c', `echo $CM_color $WORD $NAME $LIMIT $SAYING $(cat $ONE) $(cat $SAFE/word); ${sleeping}`],
    resources: { limits: { memory: '64Mi' } },
    envFrom: [{ prefix: 'CM_', configMapRef: { name: 'colors' } }],
    env: [
      { name: 'WORD', valueFrom: { secretKeyRef: { name: 'safe', key: 'word' } } },
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      { name: 'ONE', value: '/one' },
      { name: 'SAFE', value: '/safe' },
      { name: 'COLORS', value: '/colors' },
      { name: 'SAYING', value: '$(NAME)/$$(NAME)/$(NOBODY)' },
    ],
    volumeMounts: [
      { name: 'colors', mountPath: '/colors' },
      { name: 'colors', mountPath: '/one', subPath: 'color' },
      { name: 'safe', mountPath: '/safe' },
    ],
  },
  {
    volumes: [
      { name: 'colors', configMap: { name: 'colors' } },
      { name: 'safe', secret: { secretName: 'safe' } },
    ],
  },
)

const inOrder = podOf(
  'in-order',
  { command: ['sh', '-c', `echo main >> $WORK/log; cat $WORK/log; ${sleeping}`], ...work },
  {
    volumes: [workVolume],
    initContainers: ['first', 'second'].map((name) => ({
      name,
      image: 'busybox',
      command: ['sh', '-c', `echo ${name} >> $WORK/log`],
      ...work,
    })),
  },
)

test('a container that keeps failing is backed off from', async () => {
  const status = await until('CrashLoopBackOff', async () => {
    const status = await container('crash')
    return status?.state?.waiting?.reason === 'CrashLoopBackOff' && status
  })
  expect(status.state?.waiting?.message).toMatch(/^back-off \d+s restarting failed container=main pod=crash_default/)
  expect(status.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
})

test('the log of the container before this one is kept', async () => {
  await until('a second life', async () => {
    const status = await container('twice')
    return status?.restartCount === 1 && status.state?.running
  })
  expect((await container('twice'))?.lastState?.terminated?.exitCode).toBe(7)
  expect(cluster.kubectl(['logs', 'twice', '--previous']).stdout).toBe('first\n')
  await until('the new log', () => cluster.kubectl(['logs', 'twice']).stdout === 'second\n')
})

test('probes take a pod out of service, and restart what no longer lives', async () => {
  const before = await untilReady('probed')
  expect(exec('probed', 'rm $WORK/ready').code).toBe(0)
  await untilReady('probed', false)
  expect(exec('probed', 'touch $WORK/ready').code).toBe(0)
  await untilReady('probed')
  expect((await container('probed'))?.restartCount).toBe(0)

  expect(exec('probed', 'rm $WORK/alive').code).toBe(0)
  await until('a restart', async () => (await container('probed'))?.restartCount === 1)
  const after = await untilReady('probed')
  expect(after.metadata?.uid).toBe(before.metadata?.uid)
  expect(after.status?.podIP).toBe(before.status?.podIP)
})

test('ConfigMaps and Secrets reach a container as variables and as files, which follow changes', async () => {
  await untilReady('configured')
  await until('its log', () => cluster.kubectl(['logs', 'configured']).stdout !== '')
  expect(cluster.kubectl(['logs', 'configured']).stdout).toBe(
    'blue open sesame configured 64 configured/$(NAME)/$(NOBODY) blue open sesame\n',
  )
  apply(colors('red'))
  await until('the new color', () => exec('configured', 'cat $COLORS/color').stdout === 'red')
  // A file mounted by subPath stays what it was, as upstream; where there are no mounts it is not kept apart.
  const { Driver } = (await cluster.engine.info()) as { Driver: string }
  if (Driver === 'overlay2') expect(exec('configured', 'cat $ONE').stdout).toBe('blue')
})

test('a privileged pod runs, with a /dev that has room for its termination log', async () => {
  await untilReady('privileged')
  // An ordinary user has only those that he may open.
  const devices = process.getuid?.() === 0 ? readdirSync('/dev') : ['null', 'zero', 'tty']
  expect(exec('privileged', 'ls /dev').stdout.split('\n')).toEqual(expect.arrayContaining(devices))
  await until('its last words', () => exec('privileged', 'cat $LAST_WORDS').stdout === 'goodbye\n')
})

test('init containers run one after the other, and none after one that fails', async () => {
  await untilReady('in-order')
  await until('its log', () => cluster.kubectl(['logs', 'in-order']).stdout === 'first\nsecond\nmain\n')
  const failed = await until('the pod to fail', async () => {
    const now = await pod('never-starts')
    return now.status?.phase === 'Failed' && now
  })
  expect(failed.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing')
})

test('a pod finds the token of its service account, which says who it is', async () => {
  await untilReady('caller')
  expect(exec('caller', 'cat $ACCOUNT/namespace').stdout).toBe('default')
  const token = exec('caller', 'cat $ACCOUNT/token').stdout
  const response = await cluster.fetch('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  expect(await response.json()).toMatchObject({
    status: {
      userInfo: {
        username: 'system:serviceaccount:default:default',
        extra: { 'authentication.kubernetes.io/pod-name': ['caller'] },
      },
    },
  })
})

test('kubectl run -i shows all that a quick program says, once', () => {
  for (const name of ['quick-1', 'quick-2', 'quick-3']) {
    const run = ['run', name, '-i', '--rm', '--restart=Never', '--image=busybox', '--', 'echo', 'hello']
    const { code, stdout, stderr } = cluster.kubectl(run)
    expect([code, stdout.split('\n').filter((line) => line === 'hello')], stderr).toEqual([0, ['hello']])
  }
})

test('exec passes input and the exit code on', async () => {
  await untilReady('configured')
  expect(exec('configured', 'tr a-z A-Z', 'ahoy').stdout).toBe('AHOY')
  expect(exec('configured', 'exit 42').code).toBe(42)
})

test('a deleted pod runs its preStop hook, then hears SIGTERM, then is gone', async () => {
  await untilReady('graceful')
  const deleted = cluster.kubectl(['delete', 'pod', 'graceful'])
  expect(deleted.code, deleted.stderr).toBe(0)
  await expect(pod('graceful')).rejects.toMatchObject({ code: 404 })
  expect(readFileSync(join(witnesses, 'graceful'), 'utf8')).toBe('prestop\nterm\n')
})

test('a Service finds pods by the name of their port; a headless one has no address', async () => {
  const slices = (name: string) =>
    get<V1EndpointSliceList>(
      `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${name}`,
    )
  const headless = await until('two ready endpoints', async () => {
    const [slice] = (await slices('web-headless')).items
    return slice?.endpoints.filter(({ conditions }) => conditions?.ready).length === 2 && slice
  })
  expect(headless.ports?.[0]?.port).toBe(8080)
  const addresses = (await pods('app=web')).map(({ status }) => status?.podIP ?? '')
  expect(headless.endpoints.flatMap(({ addresses }) => addresses).toSorted()).toEqual(addresses.toSorted())

  const { spec } = await cluster.core.readNamespacedService({ name: 'web', namespace: 'default' })
  const names = new Set<string>()
  await until('an answer from both pods', async () => {
    const page = await fetch(`http://${spec?.clusterIP}:8000`, { headers: { connection: 'close' } })
    names.add(await page.text())
    return names.size === 2
  })
  const none = await cluster.core.readNamespacedService({ name: 'web-headless', namespace: 'default' })
  expect(none.spec?.clusterIP).toBe('None')
})

test('a disruption budget holds evictions back until there is room', async () => {
  const [victim] = await until('two ready pods', async () => {
    const ready = (await pods('app=web')).filter(isReady)
    return ready.length === 2 && ready
  })
  const name = victim?.metadata?.name ?? ''
  const evict = () =>
    cluster.core.createNamespacedPodEviction({ name, namespace: 'default', body: { metadata: { name } } })
  await expect(evict()).rejects.toMatchObject({ code: 429 })
  expect(isReady(await pod(name))).toBe(true)

  apply(budget(1))
  // The controller needs a moment to allow what the new budget allows.
  await until('the eviction', () => evict().then(() => true))
  await until('a replacement', async () => {
    const ready = (await pods('app=web')).filter(isReady)
    return ready.length === 2 && ready.every(({ metadata }) => metadata?.name !== name)
  })
})

test('Jobs count successes, and give up when they may', async () => {
  const conditions = async (name: string) => {
    const { status } = await get<V1Job>(`/apis/batch/v1/namespaces/default/jobs/${name}`)
    return Object.fromEntries((status?.conditions ?? []).map(({ type, reason }) => [type, reason]))
  }
  await until('the Job to complete', async () => 'Complete' in (await conditions('counts')))
  expect((await pods('job-name=counts')).map(({ status }) => status?.phase)).toEqual(Array(3).fill('Succeeded'))
  await until('the other to fail', async () => (await conditions('gives-up'))['Failed'] === 'BackoffLimitExceeded')
})

test('a rollout can be undone, and finds its old ReplicaSet again', async () => {
  const rollout = (verb: string) => cluster.kubectl(['rollout', verb, 'deployment/release', '-n', 'rolling'])
  const hashes = async () => {
    const running = (await pods('app=release', 'rolling')).filter(({ metadata }) => !metadata?.deletionTimestamp)
    return [...new Set(running.map(({ metadata }) => metadata?.labels?.['pod-template-hash']))]
  }
  expect(rollout('status').stdout).toContain('successfully rolled out')
  const first = await hashes()
  apply(release('2'))
  expect(rollout('status').stdout).toContain('successfully rolled out')
  expect(await hashes()).not.toEqual(first)

  const undone = rollout('undo')
  expect(undone.code, undone.stderr).toBe(0)
  expect(rollout('status').stdout).toContain('successfully rolled out')
  expect(await hashes()).toEqual(first)
  const { metadata } = await get<V1Deployment>('/apis/apps/v1/namespaces/rolling/deployments/release')
  expect(metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
})

test('a namespace takes everything in it along', async () => {
  await until('inhabitants', async () => (await pods('app=inhabitant', 'doomed')).filter(isReady).length === 2)
  await cluster.core.deleteNamespace({ name: 'doomed' })
  await until('the namespace to be gone', async () => {
    const { items } = await cluster.core.listNamespace()
    return items.every(({ metadata }) => metadata?.name !== 'doomed')
  })
  for (const path of ['/api/v1/pods', '/api/v1/configmaps', '/apis/apps/v1/replicasets']) {
    const { items } = await get<{ items: V1Pod[] }>(path)
    expect(items.filter(({ metadata }) => metadata?.namespace === 'doomed')).toEqual([])
  }
  const running = await cluster.engine.listContainers()
  expect(running.filter(({ Labels }) => Labels['io.kubernetes.pod.namespace'] === 'doomed')).toEqual([])
})
