import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Pod } from '@dinghy/shared/api/types'
import { pod, storeFixture } from '../testing/store-fixture.ts'
import { certificateRequester } from './certificate-requester.ts'
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.ts'
import { limitRanger } from './limit-ranger.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { priority } from './priority.ts'
import { resourceQuota } from './resource-quota.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccount } from './service-account.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  fixture = storeFixture((reader) => [
    namespaceLifecycle(reader),
    limitRanger(reader),
    serviceAccount(reader),
    priority(reader),
    defaultTolerationSeconds(10),
    defaultStorageClass(reader),
    defaultIngressClass(reader),
    resourceQuota(reader),
    runtimeClass(reader),
    certificateRequester(),
  ])
  await fixture.create('namespaces', { metadata: { name: 'default' } })
})
afterEach(() => fixture.storage.close())

function container(name: string, resources: object = {}) {
  return { name, image: 'busybox', resources }
}
function podOf(name: string, ...containers: object[]) {
  return { metadata: { name }, spec: { containers } }
}

describe('NamespaceLifecycle', () => {
  test('a namespace that is going takes nothing new', async () => {
    const { store, definition, context } = fixture
    await store.update(
      definition('namespaces'),
      { name: 'default' },
      (current) => ({ ...current, metadata: { ...current.metadata, finalizers: ['example.com/x'] } }),
      context,
    )
    await fixture.create('namespaces', { metadata: { name: 'other', finalizers: ['example.com/x'] } })
    await store.delete(definition('namespaces'), { name: 'other' }, {}, context)
    const attempt = store.create(definition('configmaps'), 'other', { metadata: { name: 'a' } } as never, context)
    await expect(attempt).rejects.toMatchObject({
      message:
        'configmaps "a" is forbidden: unable to create new content in namespace other because it is being terminated',
      status: { code: 403, details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] } },
    })
    const again = store.delete(definition('namespaces'), { name: 'other' }, {}, context)
    await expect(again).rejects.toThrow('The system is ensuring all content is removed from this namespace.')
  })
})

describe('pods get what they did not ask for', () => {
  test('a service account, a priority and patience with dead nodes', async () => {
    expect(await fixture.create('pods', pod('a'))).toMatchObject({
      spec: {
        serviceAccountName: 'default',
        serviceAccount: 'default',
        priority: 0,
        preemptionPolicy: 'PreemptLowerPriority',
        tolerations: [
          { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 },
          { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 },
        ],
      },
    })
  })

  test('but not what they asked for otherwise', async () => {
    const tolerations = [{ operator: 'Exists' }]
    const created = await fixture.create('pods', {
      metadata: { name: 'a' },
      spec: { containers: [container('c')], tolerations },
    })
    expect(created).toMatchObject({ spec: { tolerations } })
    expect((created as unknown as { spec: { tolerations: object[] } }).spec.tolerations).toHaveLength(1)
  })

  test('a service account that does not exist is refused', async () => {
    const attempt = fixture.create('pods', {
      metadata: { name: 'a' },
      spec: { containers: [container('c')], serviceAccountName: 'robot' },
    })
    await expect(attempt).rejects.toThrow(
      'pods "a" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
    )
  })

  test('the priority of their class', async () => {
    await fixture.create('priorityclasses', { metadata: { name: 'high' }, value: 1000 })
    const sent = (more: object) => ({ metadata: { name: 'a' }, spec: { containers: [container('c')], ...more } })
    await expect(fixture.create('pods', sent({ priorityClassName: 'none' }))).rejects.toThrow(
      'pods "a" is forbidden: no PriorityClass with name none was found',
    )
    await expect(fixture.create('pods', sent({ priority: 7 }))).rejects.toThrow(
      'the integer value of priority (7) must not be provided',
    )
    expect(await fixture.create('pods', sent({ priorityClassName: 'high' }))).toMatchObject({
      spec: { priority: 1000 },
    })
  })
})

describe('the token of a service account', () => {
  const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
  const made = async (spec: object): Promise<Pod> =>
    (await fixture.create('pods', { metadata: { name: 'a' }, spec })) as Pod

  test('is mounted into every container', async () => {
    const { spec } = await made({ initContainers: [container('first')], containers: [container('c'), container('d')] })
    const [volume, ...others] = spec.volumes ?? []
    expect(others).toEqual([])
    expect(volume).toEqual({
      name: expect.stringMatching(/^kube-api-access-[a-z0-9]{5}$/),
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    })
    const mount = { name: volume?.name, readOnly: true, mountPath }
    for (const { volumeMounts } of [...(spec.initContainers ?? []), ...spec.containers])
      expect(volumeMounts).toEqual([mount])
  })

  test('into nothing, if there is nothing to mount it into', async () => {
    await expect(made({})).rejects.toThrow('spec.containers: Required value')
  })

  test('but not over what a container mounts there itself', async () => {
    const own = { name: 'mine', mountPath }
    const { spec } = await made({
      volumes: [{ name: 'mine', emptyDir: {} }],
      containers: [{ ...container('c'), volumeMounts: [own] }],
    })
    expect(spec.volumes).toHaveLength(1)
    expect(spec.containers[0]?.volumeMounts).toEqual([own])
  })

  test('nor twice, when a pod is copied', async () => {
    const { spec } = await made({ containers: [container('c')] })
    const copy = await fixture.create('pods', {
      metadata: { name: 'copy' },
      spec: { volumes: spec.volumes, containers: [...spec.containers, container('new')] },
    })
    expect((copy as Pod).spec.volumes).toEqual(spec.volumes)
    expect((copy as Pod).spec.containers[1]?.volumeMounts).toEqual(spec.containers[0]?.volumeMounts)
  })

  test.each([
    ['the pod', false, undefined, false],
    ['its account', undefined, false, false],
    ['the pod, against its account', true, false, true],
    ['nobody', undefined, undefined, true],
  ])('asked by %s not to', async (_, ofPod, ofAccount, mounted) => {
    await fixture.create('serviceaccounts', {
      metadata: { name: 'robot' },
      ...(ofAccount !== undefined ? { automountServiceAccountToken: ofAccount } : {}),
    })
    const { spec } = await made({
      serviceAccountName: 'robot',
      containers: [container('c')],
      ...(ofPod !== undefined ? { automountServiceAccountToken: ofPod } : {}),
    })
    expect(spec.volumes !== undefined).toBe(mounted)
  })
})

describe('RuntimeClass', () => {
  const made = (spec: object) =>
    fixture.create('pods', { metadata: { name: 'a' }, spec: { containers: [container('c')], ...spec } })

  test('adds what its sandboxes cost, and where they are to be had', async () => {
    const toleration = { key: 'vm', operator: 'Exists' }
    await fixture.create('runtimeclasses', {
      metadata: { name: 'vm' },
      handler: 'vm',
      overhead: { podFixed: { memory: '64Mi' } },
      scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [toleration] },
    })
    expect(await made({ runtimeClassName: 'vm' })).toMatchObject({
      spec: {
        overhead: { memory: '64Mi' },
        nodeSelector: { vm: 'yes' },
        tolerations: expect.arrayContaining([toleration]) as unknown,
      },
    })
    const elsewhere = made({ runtimeClassName: 'vm', nodeSelector: { vm: 'no' } })
    await expect(elsewhere).rejects.toThrow('conflict: runtimeClass.scheduling.nodeSelector[vm] = yes')
  })

  test('must be there, and alone speaks of overhead', async () => {
    await expect(made({ runtimeClassName: 'none' })).rejects.toThrow(
      'pods "a" is forbidden: pod rejected: RuntimeClass "none" not found',
    )
    await expect(made({ overhead: { cpu: '1' } })).rejects.toThrow(
      'Pod Overhead set without corresponding RuntimeClass defined Overhead',
    )
  })
})

test('a request for a certificate says who made it, whatever it says itself', async () => {
  const spec = {
    request: Buffer.from('-----BEGIN CERTIFICATE REQUEST-----').toString('base64'),
    signerName: 'example.com/signer',
    usages: ['client auth'],
    username: 'boss',
    uid: '1',
  }
  const made = await fixture.create('certificatesigningrequests', { metadata: { name: 'a' }, spec })
  expect(made).toMatchObject({ spec: { username: 'tester', groups: [] } })
  expect(made).not.toHaveProperty('spec.uid')
})

describe('default classes', () => {
  const storageClass = (name: string, isDefault: boolean) =>
    fixture.create('storageclasses', {
      metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) } },
      provisioner: 'example.com/disk',
    })
  const claim = (name: string, more: object = {}) =>
    fixture.create('persistentvolumeclaims', {
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
    })

  test('a claim without a class gets the default one', async () => {
    expect(await claim('early')).not.toHaveProperty('spec.storageClassName')
    await storageClass('slow', false)
    await storageClass('fast', true)
    expect(await claim('a')).toMatchObject({ spec: { storageClassName: 'fast' } })
    expect(await claim('b', { storageClassName: 'slow' })).toMatchObject({ spec: { storageClassName: 'slow' } })
    expect(await claim('c', { storageClassName: '' })).not.toMatchObject({ spec: { storageClassName: 'fast' } })
  })

  test('an Ingress, too, unless there are two defaults', async () => {
    const ingressClass = (name: string) =>
      fixture.create('ingressclasses', {
        metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
        spec: { controller: 'example.com/ingress' },
      })
    const ingress = (name: string) =>
      fixture.create('ingresses', {
        metadata: { name },
        spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
      })
    await ingressClass('one')
    expect(await ingress('a')).toMatchObject({ spec: { ingressClassName: 'one' } })
    await ingressClass('two')
    await expect(ingress('b')).rejects.toThrow('2 default IngressClasses were found, only 1 allowed')
  })
})

describe('LimitRanger', () => {
  beforeEach(async () => {
    await fixture.create('limitranges', {
      metadata: { name: 'limits' },
      spec: {
        limits: [
          {
            type: 'Container',
            default: { cpu: '500m' },
            defaultRequest: { cpu: '100m' },
            min: { cpu: '50m' },
            max: { cpu: '1' },
            maxLimitRequestRatio: { cpu: '5' },
          },
        ],
      },
    })
  })

  test('fills in and says so', async () => {
    expect(await fixture.create('pods', podOf('a', container('c')))).toMatchObject({
      metadata: {
        annotations: {
          'kubernetes.io/limit-ranger':
            'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
        },
      },
      spec: { containers: [{ resources: { limits: { cpu: '500m' }, requests: { cpu: '100m' } } }] },
    })
  })

  test.each([
    [
      { requests: { cpu: '10m' }, limits: { cpu: '40m' } },
      'minimum cpu usage per Container is 50m, but request is 10m',
    ],
    [{ requests: { cpu: '500m' }, limits: { cpu: '2' } }, 'maximum cpu usage per Container is 1, but limit is 2'],
    [
      { requests: { cpu: '100m' }, limits: { cpu: '1' } },
      'cpu max limit to request ratio per Container is 5, but provided ratio is 10.000000',
    ],
  ])('refuses %o', async (resources, message) => {
    await expect(fixture.create('pods', podOf('a', container('c', resources)))).rejects.toThrow(message)
  })
})

describe('ResourceQuota', () => {
  const quota = (hard: Record<string, string>, more: object = {}) =>
    fixture.create('resourcequotas', { metadata: { name: 'quota' }, spec: { hard, ...more } })

  test('counts what is there', async () => {
    await quota({ pods: '1' })
    await fixture.create('pods', pod('a'))
    await expect(fixture.create('pods', pod('b'))).rejects.toThrow(
      'pods "b" is forbidden: exceeded quota: quota, requested: pods=1, used: pods=1, limited: pods=1',
    )
    const { store, definition, context } = fixture
    await store.delete(definition('pods'), { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 }, context)
    await fixture.create('pods', pod('b'))
  })

  test('cannot be passed by two at the same moment', async () => {
    await quota({ 'count/configmaps': '1' })
    const both = await Promise.allSettled(
      ['a', 'b'].map((name) => fixture.create('configmaps', { metadata: { name } })),
    )
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('adds up requests, and wants them said', async () => {
    await quota({ 'requests.cpu': '1', 'limits.memory': '1Gi' })
    await expect(fixture.create('pods', pod('a'))).rejects.toThrow(
      'failed quota: quota: must specify limits.memory for: c; requests.cpu for: c',
    )
    const resources = { requests: { cpu: '600m' }, limits: { memory: '400Mi' } }
    await fixture.create('pods', podOf('a', container('c', resources)))
    await expect(fixture.create('pods', podOf('b', container('c', resources)))).rejects.toThrow(
      'exceeded quota: quota, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
    )
  })

  test('is about the pods of its scope only', async () => {
    await quota({ pods: '0' }, { scopes: ['BestEffort'] })
    await expect(fixture.create('pods', pod('a'))).rejects.toThrow('exceeded quota')
    await fixture.create('pods', podOf('b', container('c', { requests: { cpu: '1m' } })))
  })
})
