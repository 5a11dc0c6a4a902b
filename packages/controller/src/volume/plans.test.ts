/**
 * What is decided about storage, as tables.
 */

import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, makeNode, makePod } from '../testing/objects.ts'
import { claimKeysOf, mayHaveMounted } from './claim-protection.ts'
import { defaultClass, lateClass, missingClass } from './default-storage-class.ts'
import { annotations, finalizers, hostPath } from './names.ts'
import { planProtection } from './protection-plan.ts'
import { planProvisioning } from './provision-plan.ts'
import { planReclaim } from './reclaim-plan.ts'
import { makeClaim, makeClass, makeVolume, podUsing } from '../testing/volumes.ts'

const requested = { annotations: { [annotations.storageProvisioner]: hostPath } }
function onNode(name: string) {
  return { annotations: { ...requested.annotations, [annotations.selectedNode]: name } }
}
const going = { deletionTimestamp: at(0) }

describe('planProvisioning', () => {
  const late = makeClass('standard')
  const eager = makeClass('standard', { volumeBindingMode: 'Immediate' })
  const plan = (
    claim: PersistentVolumeClaim,
    storageClass: StorageClass | undefined,
    volumes: PersistentVolume[] = [],
  ) => planProvisioning({ claim, storageClass, volumes, nodes: [makeNode('n1')], volumeRoot: '/v' })

  test.each<[string, PersistentVolumeClaim, StorageClass | undefined, PersistentVolume[], string | undefined]>([
    ['waits for the binder', makeClaim(), eager, [], undefined],
    ['waits for the scheduler', makeClaim({}, requested), late, [], undefined],
    ['goes ahead once the node is known', makeClaim({}, onNode('n1')), late, [], 'create'],
    ['does not wait where the class does not', makeClaim({}, requested), eager, [], 'create'],
    [
      'has made it already',
      makeClaim({}, requested),
      eager,
      [makeVolume('pvc-claim-1', {}, {}, 'Released')],
      undefined,
    ],
    [
      'has nothing to do for a claim that has chosen',
      makeClaim({ volumeName: 'mine' }, requested),
      eager,
      [],
      undefined,
    ],
    ['has nothing to do for a claim that goes', makeClaim({}, { ...requested, ...going }), eager, [], undefined],
    [
      'leaves other provisioners their claims',
      makeClaim({}, requested),
      makeClass('x', { provisioner: 'ebs' }),
      [],
      undefined,
    ],
    ['knows no such class', makeClaim({}, requested), undefined, [], undefined],
    ['asks for another node when that one is gone', makeClaim({}, onNode('n9')), late, [], 'reschedule'],
    ['cannot make what carries labels', makeClaim({ selector: {} }, requested), eager, [], 'refuse'],
    ['cannot make devices', makeClaim({ volumeMode: 'Block' }, requested), eager, [], 'refuse'],
  ])('%s', (_what, claim, storageClass, volumes, expected) => {
    expect(plan(claim, storageClass, volumes)?.do).toBe(expected)
  })

  const made = (claim: PersistentVolumeClaim, storageClass: StorageClass) => {
    const step = plan(claim, storageClass)
    if (step?.do !== 'create') throw new Error('nothing is made')
    return step.volume
  }

  test('the volume is for this claim, on this node, and held until its data is gone', () => {
    expect(made(makeClaim({}, onNode('n1')), late)).toMatchObject({
      metadata: {
        name: 'pvc-claim-1',
        annotations: { 'pv.kubernetes.io/provisioned-by': hostPath },
        finalizers: [finalizers.provisioner],
      },
      spec: {
        capacity: { storage: '1Gi' },
        claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'data', uid: 'claim-1' },
        hostPath: { path: '/v/pvc-claim-1', type: 'Directory' },
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'standard',
        volumeMode: 'Filesystem',
      },
    })
  })

  const anywhere: Partial<PersistentVolumeClaim['spec']> = { accessModes: ['ReadWriteMany'] }
  const term = (...values: string[]) => [
    { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] },
  ]
  const topologies = [{ matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['n1', 'n2'] }] }]
  test.each<[string, PersistentVolumeClaim, StorageClass, object | undefined]>([
    ['the selected node', makeClaim({}, onNode('n1')), late, term('n1')],
    ['everywhere, for many nodes at once', makeClaim(anywhere, onNode('n1')), late, undefined],
    ['everywhere, when nobody has chosen', makeClaim({}, requested), eager, undefined],
    ['where the class allows', makeClaim({}, requested), { ...eager, allowedTopologies: topologies }, term('n1', 'n2')],
  ])('reached from %s', (_what, claim, storageClass, expected) => {
    expect(made(claim, storageClass).spec?.nodeAffinity?.required?.nodeSelectorTerms).toEqual(expected)
  })

  test('what is to be kept is not held', () => {
    const volume = made(makeClaim({}, requested), { ...eager, reclaimPolicy: 'Retain' })
    expect([volume.spec?.persistentVolumeReclaimPolicy, volume.metadata.finalizers]).toEqual(['Retain', undefined])
  })
})

describe('planReclaim', () => {
  const by = (provisioner: string) => ({ annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } })
  const claimRef = { namespace: 'default', name: 'data', uid: 'claim-1' }
  const held = { finalizers: ['kubernetes.io/pv-protection', finalizers.provisioner] }
  const make = (phase: string, more: object = held, policy = 'Delete', provisioner = hostPath) =>
    makeVolume('v', { claimRef, persistentVolumeReclaimPolicy: policy }, { ...by(provisioner), ...more }, phase)
  const bound = makeClaim({ volumeName: 'v' })

  test.each<[string, PersistentVolume, PersistentVolumeClaim | undefined, object | undefined]>([
    ['in use', make('Bound'), bound, undefined],
    ['released', make('Released'), undefined, { do: 'delete' }],
    ['released, and another claim has the name', make('Released'), makeClaim({}, { uid: 'claim-2' }), { do: 'delete' }],
    ['said to be released, but the claim has it', make('Released'), bound, undefined],
    ['said to be released, but the claim may take it', make('Released'), makeClaim(), undefined],
    ['its claim took another', make('Released'), makeClaim({ volumeName: 'w' }), { do: 'delete' }],
    ['half bound, and no sign of the claim', make('Pending'), undefined, undefined],
    ['deleted under its claim', make('Bound', { ...held, ...going }), bound, undefined],
    ['deleted, then its claim too', make('Bound', { ...held, ...going }), undefined, { do: 'delete' }],
    ['deleted, and its data gone', make('Released', going), undefined, undefined],
    ['to be kept', make('Released', {}, 'Retain'), undefined, undefined],
    [
      'to be kept after all',
      make('Bound', held, 'Retain'),
      bound,
      { do: 'set-finalizers', finalizers: ['kubernetes.io/pv-protection'] },
    ],
    [
      'to be deleted after all',
      make('Bound', {}),
      bound,
      { do: 'set-finalizers', finalizers: [finalizers.provisioner] },
    ],
    ["another provisioner's", make('Released', held, 'Delete', 'ebs.csi.aws.com'), undefined, undefined],
    ['made by hand', makeVolume('v', { claimRef, persistentVolumeReclaimPolicy: 'Delete' }), undefined, undefined],
  ])('%s', (_what, volume, claim, expected) => expect(planReclaim(volume, claim)).toEqual(expected))
})

describe('the default class', () => {
  const marked = { annotations: { [annotations.isDefaultClass]: 'true' } }
  const older = makeClass('older', {}, { ...marked, creationTimestamp: at(1) })
  const newer = makeClass('newer', {}, { ...marked, creationTimestamp: at(2) })

  test('is made once, and is the default only if nobody has another', () => {
    expect(missingClass([])).toMatchObject({
      metadata: { name: 'standard', annotations: { [annotations.isDefaultClass]: 'true' } },
      provisioner: hostPath,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    })
    expect(missingClass([older])?.metadata.annotations).toEqual({ [annotations.isDefaultClass]: 'false' })
    expect(missingClass([makeClass('standard', { provisioner: 'other' })])).toBeUndefined()
  })

  test('of several the newest counts', () => {
    expect(defaultClass([older, newer, makeClass('plain')])?.metadata.name).toBe('newer')
    expect(defaultClass([makeClass('plain')])).toBeUndefined()
  })

  const { storageClassName: _none, ...classless } = makeClaim().spec
  test.each<[string, PersistentVolumeClaim, StorageClass[], string | undefined]>([
    ['a claim from before there was one gets it', { ...makeClaim(), spec: classless }, [newer], 'newer'],
    ['nothing to give yet', { ...makeClaim(), spec: classless }, [makeClass('plain')], undefined],
    ['"" has been asked for', makeClaim({ storageClassName: '' }), [newer], undefined],
    ['a volume has been asked for', { ...makeClaim(), spec: { ...classless, volumeName: 'v' } }, [newer], undefined],
  ])('%s', (_what, claim, classes, expected) => expect(lateClass(claim, classes)).toBe(expected))
})

describe('protection', () => {
  test.each<[string, object, object | undefined]>([
    ['added', {}, { finalizers: ['f'], isRemoval: false }],
    ['there already', { finalizers: ['a', 'f'] }, undefined],
    ['added beside others', { finalizers: ['a'] }, { finalizers: ['a', 'f'], isRemoval: false }],
    ['taken away, others stay', { finalizers: ['a', 'f'], ...going }, { finalizers: ['a'], isRemoval: true }],
    ['never added to what goes', { finalizers: ['a'], ...going }, undefined],
  ])('%s', (_what, metadata, expected) => expect(planProtection(makeClaim({}, metadata), 'f')).toEqual(expected))

  test.each<[string, Pod, boolean]>([
    ['running', podUsing('data', 'n1'), true],
    ['not scheduled', podUsing('data'), false],
    ['finished, but still there', { ...podUsing('data', 'n1'), status: { phase: 'Succeeded' } }, true],
    ['stopping', podUsing('data', 'n1', { ...going, deletionGracePeriodSeconds: 30 }), true],
    ['stopped', podUsing('data', 'n1', { ...going, deletionGracePeriodSeconds: 0 }), false],
  ])('a pod that is %s', (_what, pod, expected) => expect(mayHaveMounted(pod)).toBe(expected))

  test('the claims of a pod', () => {
    const volumes = [
      { name: 'a', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'b', ephemeral: {} },
      { name: 'c', emptyDir: {} },
    ]
    expect(claimKeysOf(makePod('p', { spec: { volumes } }))).toEqual(['default/data', 'default/p-b'])
  })
})
