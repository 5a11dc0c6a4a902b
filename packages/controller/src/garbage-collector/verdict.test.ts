import { Pods } from '@dinghy/shared/api/resources'
import type { ObjectMeta } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, metaOf } from '../testing/objects.ts'
import { blocks, type GraphNode } from './owner-graph.ts'
import { verdictOn, type OwnerState } from './verdict.ts'

/** Owned by "a" and "b", and so on; with blockOwnerDeletion. */
function node(name: string, owners: string, more: Partial<ObjectMeta> = {}): GraphNode {
  const ownerReferences = owners.split('').map((uid) => ({
    apiVersion: 'v1',
    kind: 'X',
    name: uid,
    uid,
    blockOwnerDeletion: true,
  }))
  return {
    resource: Pods,
    object: { apiVersion: 'v1', kind: 'Pod', metadata: metaOf(name, { uid: name, ownerReferences, ...more }) },
  }
}

function deleted(...finalizers: string[]) {
  return { deletionTimestamp: at(1), finalizers }
}
const states: Record<string, OwnerState> = { s: 'solid', w: 'waiting', a: 'absent' }
function stateOf(uid: string): OwnerState {
  return states[uid[0] ?? ''] ?? 'solid'
}
const child = node('child', 'x')

describe('by its owners', () => {
  test.each<[string, string, GraphNode[], unknown]>([
    ['without owners it stays', '', [], { action: 'nothing' }],
    ['with a solid owner it stays', 's', [], { action: 'nothing' }],
    ['absent owners beside a solid one are forgotten', 'sa', [], { action: 'forgetOwners', uids: ['a'] }],
    ['waiting ones too: they need not wait', 'swa', [], { action: 'forgetOwners', uids: ['a', 'w'] }],
    ['without any solid owner it goes', 'a', [], { action: 'delete', policy: 'Background', unblock: false }],
    ['and leaves its dependents to be found', 'a', [child], { action: 'delete', policy: 'Background', unblock: false }],
    ['for a waiting owner it goes', 'w', [], { action: 'delete', policy: 'Background', unblock: false }],
    [
      'after its own dependents, if it has any',
      'wa',
      [child],
      { action: 'delete', policy: 'Foreground', unblock: false },
    ],
  ])('%s', (_name, owners, dependents, expected) => {
    expect(verdictOn(node('it', owners), stateOf, dependents)).toEqual(expected)
  })

  test.each([
    ['orphan', 'Orphan'],
    ['foregroundDeletion', 'Foreground'],
    ['example.com/mine', 'Background'],
  ])('a finalizer %s that it has already: %s', (finalizer, policy) => {
    const it = node('it', 'a', { finalizers: [finalizer] })
    expect(verdictOn(it, stateOf, [])).toEqual({ action: 'delete', policy, unblock: false })
  })

  test('in a circle of foreground deletions somebody must stop blocking', () => {
    const waitingChild = node('child', 'x', deleted('foregroundDeletion'))
    expect(verdictOn(node('it', 'w'), stateOf, [waitingChild])).toMatchObject({ policy: 'Foreground', unblock: true })
  })
})

describe('being deleted', () => {
  const free: GraphNode = node('free', '')
  const blocking = node('blocking', 'i')
  const leaving = node('leaving', 'i', deleted())
  test.each<[string, string[], GraphNode[], unknown]>([
    ['without a finalizer of ours nothing is to do', ['example.com/mine'], [blocking], { action: 'nothing' }],
    ['orphan', ['orphan'], [blocking], { action: 'setDependentsFree' }],
    ['foreground, nothing in the way', ['foregroundDeletion'], [], { action: 'finishDeletion' }],
    ['foreground, only dependents that do not block', ['foregroundDeletion'], [free], { action: 'finishDeletion' }],
    [
      'foreground, dependents in the way',
      ['foregroundDeletion'],
      [blocking, free],
      { action: 'deleteDependents', dependents: [blocking] },
    ],
    [
      'foreground, those are leaving already',
      ['foregroundDeletion'],
      [leaving],
      { action: 'deleteDependents', dependents: [] },
    ],
  ])('%s', (_name, finalizers, dependents, expected) => {
    const it = node('it', 's', { uid: 'i', ...deleted(...finalizers) })
    expect(blocks(blocking, 'i')).toBe(true)
    expect(verdictOn(it, stateOf, dependents)).toEqual(expected)
  })
})
