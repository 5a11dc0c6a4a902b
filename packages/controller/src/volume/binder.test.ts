/**
 * What the binder decides about claims and volumes, as tables; and the claims that pods bring along.
 */

import { describe, expect, test } from 'vitest'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import { makePod } from '../testing/objects.ts'
import { planClaim, type ClaimWorld } from './claim-plan.ts'
import { ephemeralClaims } from './ephemeral-volumes.ts'
import { annotations, hostPath } from './names.ts'
import { makeClaim, makeClass, makeVolume, podUsing } from '../testing/volumes.ts'
import { planVolume } from './volume-plan.ts'

function refTo({ metadata: { name, namespace = '', uid } }: PersistentVolumeClaim) {
  return { name, namespace, uid }
}

describe('planClaim', () => {
  const plan = (claim: PersistentVolumeClaim, more: Partial<ClaimWorld> = {}) =>
    planClaim({ claim, volumes: [], storageClass: undefined, pods: [], ...more })
  const step = (claim: PersistentVolumeClaim, more: Partial<ClaimWorld> = {}) => {
    const planned = plan(claim, more)
    return 'notice' in planned ? `${planned.do} ${planned.notice.type} ${planned.notice.reason}` : planned.do
  }
  const late = makeClass('standard')
  const eager = makeClass('standard', { volumeBindingMode: 'Immediate' })
  const bound = { annotations: { [annotations.bindCompleted]: 'yes' } }

  test('looks for a volume, or asks for one', () => {
    const classless = makeClaim({ storageClassName: '' })
    expect(step(classless, { volumes: [makeVolume('v', { storageClassName: '' })] })).toBe('bind')
    expect(step(classless)).toBe('wait Normal FailedBinding')
    expect(step(makeClaim())).toBe('wait Warning ProvisioningFailed')
    expect(step(makeClaim(), { storageClass: eager, volumes: [makeVolume('v')] })).toBe('bind')
    expect(plan(makeClaim(), { storageClass: eager })).toMatchObject({ do: 'request', provisioner: hostPath })
    expect(step(makeClaim(), { storageClass: eager })).toBe('request Normal ExternalProvisioning')
    const none = { ...eager, provisioner: 'kubernetes.io/no-provisioner' }
    expect(step(makeClaim(), { storageClass: none })).toBe('wait Warning ProvisioningFailed')
  })

  test('waits for the first pod where the class says so', () => {
    const volumes = [makeVolume('v')]
    expect(step(makeClaim(), { storageClass: late, volumes })).toBe('wait Normal WaitForFirstConsumer')
    const chosen = makeClaim({}, { annotations: { [annotations.selectedNode]: 'n1' } })
    expect(step(chosen, { storageClass: late })).toBe('request Normal ExternalProvisioning')
    const reserved = makeVolume('v', { claimRef: { name: 'data', namespace: 'default' } })
    expect(step(makeClaim(), { storageClass: late, volumes: [reserved] })).toBe('bind')
  })

  const ended: Pod = { ...podUsing('data', undefined, { name: 'z' }), status: { phase: 'Failed' } }
  test.each<[string, Pod[]]>([
    ['waiting for pod a to be scheduled', [podUsing('data', undefined, { name: 'a' })]],
    ['waiting for pods a,b to be scheduled', ['b', 'a'].map((name) => podUsing('data', undefined, { name }))],
    ['waiting for first consumer to be created before binding', [ended, podUsing('data', 'n1', { name: 'c' })]],
  ])('%s', (message, pods) => {
    expect(plan(makeClaim(), { storageClass: late, pods })).toMatchObject({ do: 'wait', notice: { message } })
  })

  test('takes the volume that the user names, if it may', () => {
    const claim = makeClaim({ volumeName: 'v' })
    expect(step(claim)).toBe('wait Warning FailedBinding')
    expect(step(claim, { volumes: [makeVolume('v')] })).toBe('bind')
    const taken = makeVolume('v', { claimRef: refTo(makeClaim({}, { name: 'other' })) })
    expect(step(claim, { volumes: [taken] })).toBe('wait Warning FailedBinding')
    const small = makeVolume('v', { capacity: { storage: '1Mi' } })
    const message = 'Cannot bind to requested volume "v": requested PV is too small'
    expect(plan(claim, { volumes: [small] })).toMatchObject({ notice: { reason: 'VolumeMismatch', message } })
  })

  test('stays with its volume, and is lost without it', () => {
    const claim = makeClaim({ volumeName: 'v' }, bound)
    expect(step(claim, { volumes: [makeVolume('v', { claimRef: refTo(claim) }, {}, 'Bound')] })).toBe('bind')
    expect(step(claim, { volumes: [makeVolume('other')] })).toBe('lose Warning ClaimLost')
    const taken = makeVolume('v', { claimRef: refTo(makeClaim({}, { uid: 'claim-2' })) })
    expect(step(claim, { volumes: [taken] })).toBe('lose Warning ClaimMisbound')
    expect(step(makeClaim({}, bound), { volumes: [makeVolume('v')] })).toBe('lose Warning ClaimLost')
  })
})

describe('planVolume', () => {
  const claim = makeClaim({ volumeName: 'v' })
  const madeBy = (provisioner: string) => ({ annotations: { [annotations.provisionedBy]: provisioner } })
  const taken = (policy = 'Retain') => ({ claimRef: refTo(claim), persistentVolumeReclaimPolicy: policy })
  const reserved = { claimRef: { name: 'data', namespace: 'default' } }
  const elsewhere = makeClaim({ volumeName: 'another' })
  const failed = (reason: string) => ({ do: 'fail', reason })
  const mark = (phase: string) => ({ do: 'mark', phase })
  test.each<[string, PersistentVolume, PersistentVolumeClaim | undefined, object]>([
    ['free', makeVolume('v'), undefined, mark('Available')],
    ['reserved by a user', makeVolume('v', reserved), undefined, mark('Available')],
    ['in use', makeVolume('v', taken()), claim, mark('Bound')],
    ['half bound', makeVolume('v', taken()), makeClaim(), { do: 'nothing' }],
    ['released', makeVolume('v', taken()), undefined, mark('Released')],
    [
      'released, a new claim has the name',
      makeVolume('v', taken()),
      makeClaim({}, { uid: 'claim-2' }),
      mark('Released'),
    ],
    [
      'released, for its maker to delete',
      makeVolume('v', taken('Delete'), madeBy(hostPath)),
      undefined,
      mark('Released'),
    ],
    ['nobody can delete it', makeVolume('v', taken('Delete')), undefined, failed('VolumeFailedDelete')],
    ['nor this', makeVolume('v', taken('Delete'), madeBy('kubernetes.io/x')), undefined, failed('VolumeFailedDelete')],
    ['nobody can recycle it', makeVolume('v', taken('Recycle')), undefined, failed('VolumeFailedRecycle')],
    ['failed, then to be kept', makeVolume('v', taken(), {}, 'Failed'), undefined, { do: 'nothing' }],
    ['the claim took another', makeVolume('v', taken()), elsewhere, { do: 'free' }],
    ['made for a claim that took another', makeVolume('v', taken('Delete'), madeBy('x')), elsewhere, mark('Released')],
  ])('%s', (_name, volume, its, expected) => expect(planVolume(volume, its)).toMatchObject(expected))
})

describe('ephemeralClaims', () => {
  test('are named after pod and volume, and owned by the pod', () => {
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
