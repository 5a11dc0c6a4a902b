/**
 * StatefulSet, DaemonSet and CronJob as people use them, by the real kubectl, with pods that really run. One cluster
 * for all; every manifest is applied at the start, so that the pods of one test start while another one waits.
 */

import type {
  V1CronJob,
  V1DaemonSet,
  V1Job,
  V1PersistentVolumeClaim,
  V1Pod,
  V1StatefulSet,
} from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, isInstalled, until } from './harness/cluster.ts'

const nodes = ['node-1', 'node-2']
/** Far more than it takes; only a machine that is very busy needs it. */
const patience = '--timeout=90s'
const hasKubectl = isInstalled('kubectl')

describe.skipIf(!hasKubectl)(`controllers${hasKubectl ? '' : ' (skipped: there is no kubectl)'}`, () => {
  const cluster = new Cluster(nodes.length)

  beforeAll(() => {
    const autoscaler = 'controller.horizontal-pod-autoscaler'
    const quick = ['sync-period=1s', 'cpu-initialization-period=0s', 'downscale-stabilization=3s']
    cluster.up(...quick.flatMap((setting) => ['--set', `${autoscaler}-${setting}`]))
    kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests() }))
  })
  afterAll(() => cluster.destroy())

  function kubectl(args: string[], input?: string): string {
    const { code, stdout, stderr } = cluster.kubectl(args, input)
    expect(code, `kubectl ${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }
  function get(...what: string[]): unknown {
    return JSON.parse(kubectl(['get', ...what, '-o', 'json']))
  }
  function podsOf(app: string): V1Pod[] {
    return (get('pods', '-l', `app=${app}`) as { items: V1Pod[] }).items
  }
  function patch(what: string, body: object, ...flags: string[]): void {
    kubectl(['patch', what, '--type=merge', '-p', JSON.stringify(body), ...flags])
  }

  describe('StatefulSet', () => {
    const set = () => get('statefulset/db') as V1StatefulSet
    const pod = (name: string): V1Pod | undefined => podsOf('db').find(({ metadata }) => metadata?.name === name)
    const names = (): string[] => podsOf('db').map(({ metadata }) => metadata?.name ?? '')
    const versions = (): string[] => podsOf('db').map(versionOf)
    /** A member of the first version becomes ready when it is told to. */
    const letIn = async (name: string): Promise<void> => {
      await until(`${name} to run`, () => pod(name)?.status?.phase === 'Running')
      await until(
        `a shell in ${name}`,
        () => cluster.kubectl(['exec', name, '--', 'sh', '-c', 'touch $READY']).code === 0,
      )
      await until(`${name} to be Ready`, () => isReady(pod(name)))
    }

    test('its members start in order, each when the one before is ready', async () => {
      await until('db-0', () => pod('db-0')?.status?.phase === 'Running')
      expect(names()).toEqual(['db-0'])
      await letIn('db-0')
      await letIn('db-1')
      await letIn('db-2')
      kubectl(['rollout', 'status', 'statefulset/db', patience])
      expect(names()).toEqual(['db-0', 'db-1', 'db-2'])
    })

    test('a member that is deleted comes back under its name, with its volume', async () => {
      const claim = () => get('pvc/data-db-1') as V1PersistentVolumeClaim
      const volume = claim().spec?.volumeName
      expect(volume).toMatch(/^pvc-/)
      kubectl(['exec', 'db-1', '--', 'sh', '-c', 'echo $HOSTNAME > $DATA/name'])
      const before = pod('db-1')?.metadata?.uid
      kubectl(['delete', 'pod', 'db-1'])
      await until('another db-1', () => pod('db-1') !== undefined && pod('db-1')?.metadata?.uid !== before)
      await letIn('db-1')
      expect(kubectl(['exec', 'db-1', '--', 'sh', '-c', 'cat $DATA/name'])).toBe('db-1\n')
      expect(claim().spec?.volumeName).toBe(volume)
    })

    test('a new version goes down to the partition, and then to all', async () => {
      const uids = () => podsOf('db').map(({ metadata }) => metadata?.uid)
      const before = uids()
      const template = statefulSet('2').spec.template
      patch('statefulset/db', { spec: { template, updateStrategy: { rollingUpdate: { partition: 2 } } } })
      const partitioned = kubectl(['rollout', 'status', 'statefulset/db', patience])
      expect(partitioned).toContain('partitioned roll out complete: 1 new pods have been updated')
      expect(versions()).toEqual(['1', '1', '2'])
      expect(uids().slice(0, 2)).toEqual(before.slice(0, 2))

      patch('statefulset/db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } })
      await until('all to be new', () => versions().join() === '2,2,2')
      await until('the update to end', () => set().status?.currentRevision === set().status?.updateRevision)
      expect(set().status).toMatchObject({ readyReplicas: 3, updatedReplicas: 3 })
    })

    test('it is scaled down in reverse', async () => {
      kubectl(['scale', 'statefulset/db', '--replicas=1'])
      await until('db-0 alone', () => {
        const present = podsOf('db')
        const isLeaving = (name: string) =>
          present.some(({ metadata }) => metadata?.name === name && metadata.deletionTimestamp !== undefined)
        const isThere = (name: string) => present.some(({ metadata }) => metadata?.name === name)
        expect(isLeaving('db-1') && isThere('db-2')).toBe(false)
        expect(isThere('db-0') && !isLeaving('db-0')).toBe(true)
        return present.length === 1
      })
      expect((get('pvc/data-db-2') as V1PersistentVolumeClaim).status?.phase).toBe('Bound')
    })
  })

  describe('DaemonSet', () => {
    const nodesOf = (app: string): string[] =>
      podsOf(app)
        .flatMap(({ spec }) => spec?.nodeName ?? [])
        .sort()

    test('every node has one pod, and a new version reaches each', async () => {
      kubectl(['rollout', 'status', 'daemonset/agent', patience])
      expect(nodesOf('agent')).toEqual(nodes)
      patch('daemonset/agent', { spec: { template: daemonSet('agent', '2').spec.template } })
      kubectl(['rollout', 'status', 'daemonset/agent', patience])
      expect(podsOf('agent').map(versionOf)).toEqual(['2', '2'])
      expect(nodesOf('agent')).toEqual(nodes)

      kubectl(['rollout', 'undo', 'daemonset/agent'])
      await until('the old version on each node', () => {
        const present = podsOf('agent')
        return present.length === 2 && present.every((one) => versionOf(one) === '1' && isReady(one))
      })
    })

    test('a node selector follows the labels of nodes', async () => {
      const status = () => (get('daemonset/picky') as V1DaemonSet).status
      await until('it to be seen', () => status()?.observedGeneration === 1)
      expect(status()?.desiredNumberScheduled).toBe(0)
      kubectl(['label', 'node', 'node-2', 'disk=ssd'])
      await until('its pod', () => nodesOf('picky').join() === 'node-2')
      expect(status()?.desiredNumberScheduled).toBe(1)
      await until('it to be ready', () => status()?.numberReady === 1)
      kubectl(['label', 'node', 'node-2', 'disk-'])
      await until('it to go', () => podsOf('picky').length === 0)
    })
  })

  describe('CronJob', () => {
    const cronJob = () => get('cronjob/nightly') as V1CronJob
    const jobs = (): V1Job[] =>
      (get('jobs') as { items: V1Job[] }).items.filter(
        ({ metadata }) => metadata?.ownerReferences?.[0]?.name === 'nightly',
      )
    const jobNames = (): string[] => jobs().map(({ metadata }) => metadata?.name ?? '')

    test('a Job that is created from it by hand is its own, and the history keeps its limit', async () => {
      kubectl(['create', 'job', 'by-hand-1', '--from=cronjob/nightly'])
      kubectl(['wait', '--for=condition=complete', 'job/by-hand-1', patience])
      kubectl(['create', 'job', 'by-hand-2', '--from=cronjob/nightly'])
      // The limit is one: the older one goes when the newer one is complete.
      await until('the older one to go', () => jobNames().join() === 'by-hand-2')
      await until('its success to be noted', () => cronJob().status?.lastSuccessfulTime !== undefined)
      expect((get('pods', '-l', 'job-name=by-hand-1') as { items: V1Pod[] }).items).toEqual([])
    })

    test('suspended it starts nothing that is due; resumed, only the last time that was missed', async () => {
      // As if it had last run years ago: whatever the time is now, it is due, and not again for up to a year.
      patch('cronjob/nightly', { status: { lastScheduleTime: '2020-01-01T00:00:00Z' } }, '--subresource=status')
      patch('cronjob/nightly', { metadata: { annotations: { looked: 'at' } } })
      // Another Job comes and goes meanwhile: the controller had every occasion to start the one that is due.
      kubectl(['create', 'job', 'by-hand-3', '--from=cronjob/nightly'])
      kubectl(['wait', '--for=condition=complete', 'job/by-hand-3', patience])
      expect(jobNames().every((name) => name.startsWith('by-hand'))).toBe(true)

      patch('cronjob/nightly', { spec: { suspend: false } })
      await until('its Job', () => jobNames().some((name) => name.startsWith('nightly-')))
      const started = jobNames().find((name) => name.startsWith('nightly-')) ?? ''
      kubectl(['wait', '--for=condition=complete', `job/${started}`, patience])
      const newYear = `${new Date().getUTCFullYear()}-01-01T00:00:00Z`
      await until('the time to be noted', () => String(cronJob().status?.lastScheduleTime) === newYear)
      expect(jobNames().filter((name) => name.startsWith('nightly-'))).toEqual([started])
    })
  })

  test('an autoscaler answers to a load, and to its end', async () => {
    const rescales = () => {
      const { items } = get('events', '--field-selector=reason=SuccessfulRescale') as { items: { message: string }[] }
      return items.map(({ message }) => message)
    }
    await until('one pod again', () => rescales().includes('New size: 1; reason: All metrics below target'))
    expect(rescales()).toContain('New size: 2; reason: cpu resource utilization (percentage of request) above target')
    expect(kubectl(['get', 'deployment', 'busy', '-o', 'jsonpath={.spec.replicas}'])).toBe('1')
    expect(kubectl(['get', 'hpa', 'busy'])).toMatch(/Deployment\/busy +cpu: \d+%\/100% +1 +2 +1/)
    expect(kubectl(['get', 'pods.metrics.k8s.io'])).toMatch(
      /^NAME +CPU +MEMORY +WINDOW\n.*\nbusy-\S+ +\S+ +\S+ +10s$/ms,
    )
  })
})

/** Pods that are busy for the first fifteen seconds of their lives, with a tenth of a processor. */
function busy() {
  const spin = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.2'
  const script = `n=0; while [ $n -lt 65 ]; do n=$((n+1)); ${spin}; done; ${sleeping}`
  const container = {
    name: 'main',
    image: 'busybox',
    command: ['sh', '-c', script],
    resources: { requests: { cpu: '10m' } },
  }
  const labels = { app: 'busy' }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'busy' },
    spec: { selector: { matchLabels: labels }, template },
  }
}

function autoscaler() {
  const target = { type: 'Utilization', averageUtilization: 100 }
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'busy' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'busy' },
      maxReplicas: 2,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    },
  }
}

function manifests() {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db' },
    spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 5432 }] },
  }
  return [
    service,
    statefulSet('1'),
    daemonSet('agent', '1'),
    daemonSet('picky', '1', { disk: 'ssd' }),
    nightly(),
    busy(),
    autoscaler(),
  ]
}

const sleeping = 'trap exit TERM; sleep 100000 & wait'

/** A member of version 1 waits until it is let in; later ones are ready by themselves. */
function statefulSet(version: string) {
  const container = {
    name: 'main',
    image: 'busybox',
    command: ['sh', '-c', `[ $VERSION = 1 ] || touch $READY; ${sleeping}`],
    env: [
      { name: 'VERSION', value: version },
      { name: 'READY', value: '/work/ready' },
      { name: 'DATA', value: '/data' },
    ],
    volumeMounts: [
      { name: 'work', mountPath: '/work' },
      { name: 'data', mountPath: '/data' },
    ],
    readinessProbe: { exec: { command: ['test', '-f', '/work/ready'] }, periodSeconds: 1, timeoutSeconds: 30 },
  }
  const spec = { terminationGracePeriodSeconds: 1, containers: [container], volumes: [{ name: 'work', emptyDir: {} }] }
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
    },
  }
}

function daemonSet(name: string, version: string, nodeSelector: Record<string, string> = {}) {
  const env = [{ name: 'VERSION', value: version }]
  const containers = [{ name: 'main', image: 'busybox', command: ['sh', '-c', sleeping], env }]
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, nodeSelector, containers } }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name },
    spec: { selector: { matchLabels: labels }, template },
  }
}

function nightly() {
  const containers = [{ name: 'main', image: 'busybox', command: ['true'] }]
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly' },
    spec: {
      schedule: '@yearly',
      suspend: true,
      successfulJobsHistoryLimit: 1,
      jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers } } } },
    },
  }
}

function versionOf({ spec }: V1Pod): string {
  return spec?.containers[0]?.env?.find(({ name }) => name === 'VERSION')?.value ?? ''
}

function isReady(pod: V1Pod | undefined): boolean {
  return (pod?.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
}
