import { mkdtemp, mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@dinghy/shared/api/types'
import { makePod, metaOf } from '../children/testing.ts'
import { findVolume } from './claim-matching.ts'
import { bindCompleted, ownProvisioner, planClaim, selectedNode, type ClaimWorld } from './claim-plan.ts'
import { ephemeralClaims } from './ephemeral-volume-controller.ts'
import { isInside, removeData, volumeFor } from './provisioner.ts'
import { planVolume } from './volume-plan.ts'

function makeVolume(
  name: string,
  spec: Partial<PersistentVolume['spec']> = {},
  more: Partial<PersistentVolume['metadata']> = {},
  phase = 'Available',
): PersistentVolume {
  const { namespace: _clusterScoped, ...metadata } = metaOf(name, more)
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata,
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: `/data/${name}` },
      ...spec,
    },
    status: { phase },
  }
}

function makeClaim(
  spec: Partial<PersistentVolumeClaim['spec']> = {},
  more: Partial<PersistentVolumeClaim['metadata']> = {},
): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metaOf('data', more),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '500Mi' } }, ...spec },
    status: { phase: 'Pending' },
  }
}

function makeClass(more: Partial<StorageClass> = {}): StorageClass {
  const { namespace: _clusterScoped, ...metadata } = metaOf('standard')
  return { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata, provisioner: ownProvisioner, ...more }
}

const refTo = ({ metadata: { name, namespace = '', uid } }: PersistentVolumeClaim) => ({ name, namespace, uid })

describe('findVolume', () => {
  const table: [string, Partial<PersistentVolumeClaim['spec']>, PersistentVolume[], string | undefined][] = [
    [
      'the smallest that is large enough',
      {},
      [
        makeVolume('big', { capacity: { storage: '5Gi' } }),
        makeVolume('ok'),
        makeVolume('tiny', { capacity: { storage: '1Mi' } }),
      ],
      'ok',
    ],
    ['none that is too small', { resources: { requests: { storage: '2Gi' } } }, [makeVolume('small')], undefined],
    ['none with other access modes', { accessModes: ['ReadWriteMany'] }, [makeVolume('once')], undefined],
    [
      'none of another class',
      { storageClassName: 'fast' },
      [makeVolume('plain'), makeVolume('slow', { storageClassName: 'slow' })],
      undefined,
    ],
    ['one of its class', { storageClassName: 'fast' }, [makeVolume('fast', { storageClassName: 'fast' })], 'fast'],
    ['none of another mode', { volumeMode: 'Block' }, [makeVolume('files')], undefined],
    [
      'one with the labels asked for',
      { selector: { matchLabels: { a: 'b' } } },
      [makeVolume('x'), makeVolume('y', {}, { labels: { a: 'b' } })],
      'y',
    ],
    ['none that is released', {}, [makeVolume('old', {}, {}, 'Released')], undefined],
    ['none that is going', {}, [makeVolume('going', {}, { deletionTimestamp: '2025-01-01T00:00:00Z' })], undefined],
    [
      'none that is reserved for another',
      {},
      [makeVolume('theirs', { claimRef: { name: 'other', namespace: 'default' } })],
      undefined,
    ],
    [
      'one that is reserved for it, though a smaller one would do',
      {},
      [
        makeVolume('small', { capacity: { storage: '600Mi' } }),
        makeVolume('mine', { claimRef: { name: 'data', namespace: 'default' } }),
      ],
      'mine',
    ],
  ]
  it.each(table)('finds %s', (_name, spec, volumes, expected) => {
    expect(findVolume(makeClaim(spec), volumes)?.metadata.name).toBe(expected)
  })
})

describe('planClaim', () => {
  const step = (claim: PersistentVolumeClaim, more: Partial<ClaimWorld> = {}) => {
    const planned = planClaim({ claim, volumes: [], storageClass: undefined, canProvision: true, ...more })
    return 'notice' in planned ? `${planned.do} ${planned.notice.reason}` : planned.do
  }
  const classed = { storageClassName: 'standard' }
  const late = makeClass({ volumeBindingMode: 'WaitForFirstConsumer' })
  const bound = { annotations: { [bindCompleted]: 'yes' } }

  it('looks for a volume, or has one made', () => {
    expect(step(makeClaim(), { volumes: [makeVolume('v')] })).toBe('bind')
    expect(step(makeClaim())).toBe('wait FailedBinding')
    expect(step(makeClaim(classed))).toBe('wait ProvisioningFailed')
    expect(step(makeClaim(classed), { storageClass: makeClass() })).toBe('provision')
    expect(step(makeClaim(classed), { storageClass: makeClass(), canProvision: false })).toBe(
      'wait ExternalProvisioning',
    )
    expect(step(makeClaim(classed), { storageClass: makeClass({ provisioner: 'ebs.csi.aws.com' }) })).toBe(
      'wait ExternalProvisioning',
    )
    expect(step(makeClaim(classed), { storageClass: makeClass({ provisioner: 'kubernetes.io/no-provisioner' }) })).toBe(
      'wait FailedBinding',
    )
  })

  it('waits for the first pod where the class says so', () => {
    const volumes = [makeVolume('v', classed)]
    expect(step(makeClaim(classed), { storageClass: late, volumes })).toBe('wait WaitForFirstConsumer')
    const chosen = makeClaim(classed, { annotations: { [selectedNode]: 'n1' } })
    expect(step(chosen, { storageClass: late })).toBe('provision')
    const reserved = makeVolume('v', { ...classed, claimRef: { name: 'data', namespace: 'default' } })
    expect(step(makeClaim(classed), { storageClass: late, volumes: [reserved] })).toBe('bind')
  })

  it('takes the volume that the user names, if it may', () => {
    const claim = makeClaim({ volumeName: 'v' })
    expect(step(claim)).toBe('wait FailedBinding')
    expect(step(claim, { volumes: [makeVolume('v')] })).toBe('bind')
    expect(step(claim, { volumes: [makeVolume('v', { claimRef: refTo(makeClaim({}, { name: 'other' })) })] })).toBe(
      'wait FailedBinding',
    )
    expect(step(claim, { volumes: [makeVolume('v', { capacity: { storage: '1Mi' } })] })).toBe('wait VolumeMismatch')
  })

  it('stays with its volume, and is lost without it', () => {
    const claim = makeClaim({ volumeName: 'v' }, bound)
    expect(step(claim, { volumes: [makeVolume('v', { claimRef: refTo(claim) }, {}, 'Bound')] })).toBe('bind')
    expect(step(claim, { volumes: [makeVolume('other')] })).toBe('lose ClaimLost')
    expect(step(claim, { volumes: [makeVolume('v', { claimRef: refTo(makeClaim()) })] })).toBe('lose ClaimMisbound')
    expect(step(makeClaim({}, bound), { volumes: [makeVolume('v')] })).toBe('lose ClaimLost')
  })
})

describe('planVolume', () => {
  const claim = makeClaim({ volumeName: 'v' })
  const ours = { annotations: { 'pv.kubernetes.io/provisioned-by': ownProvisioner } }
  const chosen = { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } }
  const taken = { claimRef: refTo(claim) }
  const elsewhere = { ...claim, spec: { ...claim.spec, volumeName: 'another' } }
  const table: [string, PersistentVolume, PersistentVolumeClaim | undefined, object][] = [
    ['free', makeVolume('v'), undefined, { do: 'mark', phase: 'Available' }],
    [
      'reserved by a user',
      makeVolume('v', { claimRef: { name: 'data', namespace: 'default' } }),
      undefined,
      { do: 'mark', phase: 'Available' },
    ],
    ['in use', makeVolume('v', taken), claim, { do: 'mark', phase: 'Bound' }],
    ['half bound', makeVolume('v', taken), makeClaim({}, { uid: claim.metadata.uid }), { do: 'nothing' }],
    ['released', makeVolume('v', taken), undefined, { do: 'mark', phase: 'Released' }],
    ['released, and a new claim has the name', makeVolume('v', taken), makeClaim(), { do: 'mark', phase: 'Released' }],
    [
      'made by us, released',
      makeVolume('v', { ...taken, persistentVolumeReclaimPolicy: 'Delete' }, ours),
      undefined,
      { do: 'delete' },
    ],
    [
      'made by us, to be kept',
      makeVolume('v', { ...taken, persistentVolumeReclaimPolicy: 'Retain' }, ours),
      undefined,
      { do: 'mark', phase: 'Released' },
    ],
    [
      "someone else's to delete",
      makeVolume('v', { ...taken, persistentVolumeReclaimPolicy: 'Delete' }),
      undefined,
      { do: 'mark', phase: 'Released' },
    ],
    ['chosen by us, but the claim took another', makeVolume('v', taken, chosen), elsewhere, { do: 'free' }],
    ['chosen by a user, but the claim took another', makeVolume('v', taken), elsewhere, { do: 'nothing' }],
  ]
  it.each(table)('%s', (_name, volume, its, expected) => expect(planVolume(volume, its)).toEqual(expected))
})

describe('the provisioner', () => {
  it('makes a directory for one claim', () => {
    const claim = makeClaim()
    const volume = volumeFor(claim, makeClass({ mountOptions: ['ro'] }), '/volumes')
    const { uid } = claim.metadata
    expect(volume.metadata.name).toBe(`pvc-${uid}`)
    expect(volume.spec).toMatchObject({
      capacity: { storage: '500Mi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'standard',
      mountOptions: ['ro'],
      claimRef: { kind: 'PersistentVolumeClaim', ...refTo(claim) },
      hostPath: { path: `/volumes/default_data_${uid}`, type: 'DirectoryOrCreate' },
    })
  })

  it('removes the data, and nothing else', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'volumes-'))
    try {
      for (const name of ['mine', 'other']) await mkdir(join(directory, name, 'deep'), { recursive: true })
      await removeData(makeVolume('v', { hostPath: { path: join(directory, 'mine') } }), directory)
      await removeData(makeVolume('v', { hostPath: { path: join(directory, 'never-mounted') } }), directory)
      expect(await readdir(directory)).toEqual(['other'])
      for (const path of [directory, join(directory, '..'), '/etc', `${directory}-beside`]) {
        await expect(removeData(makeVolume('v', { hostPath: { path } }), directory)).rejects.toThrow('not removed')
      }
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it.each([
    ['/v/a', true],
    ['/v/..a', true],
    ['/v/a/../..', false],
    ['/v', false],
    ['/va', false],
    ['/', false],
  ])('%s is inside of /v: %s', (path, expected) => expect(isInside(path, '/v')).toBe(expected))
})

describe('ephemeralClaims', () => {
  it('are named after pod and volume, and owned by the pod', () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    const volumes = [
      { name: 'scratch', ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } } },
      { name: 'tmp', emptyDir: {} },
    ]
    const pod = makePod('web', { spec: { volumes } })
    expect(ephemeralClaims(pod)).toMatchObject([
      {
        metadata: {
          name: 'web-scratch',
          labels: { a: 'b' },
          ownerReferences: [{ kind: 'Pod', name: 'web', controller: true }],
        },
        spec,
      },
    ])
  })
})
