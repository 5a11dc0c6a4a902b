import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import type { Lookups } from '../snapshot.ts'
import { cluster, node, pod } from '../testing/objects.ts'
import { reasons } from '../testing/ask.ts'
import { planVolumes, volumeBinding } from './volume-binding.ts'

function meta(name: string) {
  return { name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '' }
}

function claim(spec: PersistentVolumeClaim['spec'] = {}, phase = 'Pending', annotations = {}): PersistentVolumeClaim {
  const metadata = { ...meta('data'), namespace: 'default', annotations }
  const resources = { requests: { storage: '1Gi' } }
  const fields = { accessModes: ['ReadWriteOnce'], resources, ...spec }
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: fields, status: { phase } }
}

function volume(name: string, spec: PersistentVolume['spec'] = {}): PersistentVolume {
  const fields = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, storageClassName: 'local', ...spec }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: meta(name),
    spec: fields,
    status: { phase: 'Available' },
  }
}

function onlyOn(name: string): PersistentVolume['spec'] {
  return {
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }],
      },
    },
  }
}

function storageClass(name: string, provisioner: string, more: Partial<StorageClass> = {}): StorageClass {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: meta(name),
    provisioner,
    volumeBindingMode: 'WaitForFirstConsumer',
    ...more,
  }
}

const classes: Record<string, StorageClass> = {
  local: storageClass('local', 'kubernetes.io/no-provisioner'),
  made: storageClass('made', 'example.com/disk'),
  madeOnB: storageClass('madeOnB', 'example.com/disk', {
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['b'] }] }],
  }),
  eager: storageClass('eager', 'example.com/disk', { volumeBindingMode: 'Immediate' }),
}

function lookups(one: PersistentVolumeClaim | undefined, ...volumes: PersistentVolume[]): Partial<Lookups> {
  return {
    claim: (namespace, name) => (namespace === 'default' && name === 'data' ? one : undefined),
    volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
    volumes: () => volumes,
    storageClass: (name) => classes[name],
  }
}

const user = pod('p', { spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] } })

describe('filter', () => {
  const nowhere = (reason: string) => ({ a: [reason], b: [reason] })
  const bound = { volumeName: 'pv' }
  const noVolume = "node(s) didn't find available persistent volumes to bind"

  test.each<[string, Partial<Lookups>, Record<string, string[]>]>([
    ['no such claim', lookups(undefined), nowhere('persistentvolumeclaim "data" not found')],
    [
      'unbound and not waiting for us',
      lookups(claim({ storageClassName: 'eager' })),
      nowhere('pod has unbound immediate PersistentVolumeClaims'),
    ],
    ['unbound without a class', lookups(claim()), nowhere('pod has unbound immediate PersistentVolumeClaims')],
    ['bound, reachable from everywhere', lookups(claim(bound, 'Bound'), volume('pv')), { a: [], b: [] }],
    [
      'bound to a volume of one node',
      lookups(claim(bound, 'Bound'), volume('pv', onlyOn('b'))),
      { a: ['node(s) had volume node affinity conflict'], b: [] },
    ],
    [
      'bound to a volume that is gone',
      lookups(claim(bound, 'Bound')),
      nowhere('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'),
    ],
    [
      'waiting, a free volume on b',
      lookups(claim({ storageClassName: 'local' }), volume('pv', onlyOn('b'))),
      { a: [noVolume], b: [] },
    ],
    [
      'waiting, the free volume is too small',
      lookups(claim({ storageClassName: 'local' }), volume('pv', { capacity: { storage: '1Mi' } })),
      nowhere(noVolume),
    ],
    [
      'waiting, the volume cannot be shared as wanted',
      lookups(claim({ storageClassName: 'local', accessModes: ['ReadWriteMany'] }), volume('pv')),
      nowhere(noVolume),
    ],
    [
      'waiting, the volume is promised to another claim',
      lookups(
        claim({ storageClassName: 'local' }),
        volume('pv', { claimRef: { namespace: 'default', name: 'other' } }),
      ),
      nowhere(noVolume),
    ],
    ['waiting, one can be made', lookups(claim({ storageClassName: 'made' })), { a: [], b: [] }],
    ['waiting, one can be made on b only', lookups(claim({ storageClassName: 'madeOnB' })), { a: [noVolume], b: [] }],
    [
      'waiting, one is being made for b',
      lookups(claim({ storageClassName: 'made' }, 'Pending', { 'volume.kubernetes.io/selected-node': 'b' })),
      { a: ['node(s) had volume node affinity conflict'], b: [] },
    ],
  ])('%s', (_what, known, expected) => {
    expect(reasons(volumeBinding, user, cluster([node('a'), node('b')], known))).toEqual(expected)
  })

  test('a pod without claims does not care', () => {
    expect(volumeBinding.preFilter?.(pod('p'), cluster([]))).toBeUndefined()
  })

  test('an ephemeral claim is made by somebody else first', () => {
    const ephemeral = pod('p', { spec: { volumes: [{ name: 'scratch', ephemeral: {} }] } })
    expect(reasons(volumeBinding, ephemeral, cluster([node('a')]))['a']).toEqual([
      'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-scratch"',
    ])
  })
})

test('the plan takes the smallest volume that will do, and has one made only if there is none', () => {
  const wants = claim({ storageClassName: 'local' })
  const known = lookups(
    wants,
    volume('large', { capacity: { storage: '9Gi' } }),
    volume('small', { capacity: { storage: '2Gi' } }),
  )
  const { bind, provision } = planVolumes(user, node('a'), cluster([], known).lookups)
  expect([bind.map(({ volume }) => volume.metadata.name), provision]).toEqual([['small'], []])
  const made = claim({ storageClassName: 'made' })
  expect(planVolumes(user, node('a'), cluster([], lookups(made)).lookups)).toEqual({ bind: [], provision: [made] })
})
