/**
 * The verdict on one object: what must the garbage collector do about it, given its owners and its dependents? Pure.
 *
 *     being deleted?  orphan finalizer ─────► setDependentsFree
 *                     foregroundDeletion ───► no blocking dependents? finishDeletion, otherwise have them deleted first
 *                     neither ──────────────► nothing: it is on its way
 *     no owners ────────────────────────────► nothing
 *     some owner is solid ──────────────────► nothing, or forget the owners that are not
 *     all owners gone, or waiting for us ───► delete
 *
 * Follows pkg/controller/garbagecollector: attemptToDeleteItem and what it calls.
 */

import {
  blocks,
  foregroundFinalizer,
  isBeingDeleted,
  orphanFinalizer,
  ownersOf,
  waitsForDependents,
  waitsForOrphans,
  type GraphNode,
} from './owner-graph.ts'

/** solid: it is there. waiting: it is being deleted and stays until we are gone. absent: it is not there (any more). */
export type OwnerState = 'solid' | 'waiting' | 'absent'

export type Verdict =
  | { action: 'nothing' }
  | { action: 'setDependentsFree' }
  | { action: 'finishDeletion' }
  | { action: 'deleteDependents'; dependents: GraphNode[] }
  | { action: 'forgetOwners'; uids: string[] }
  /** unblock: an owner waits for us while we would wait for ours; in a circle nobody would ever be first. */
  | { action: 'delete'; policy: 'Background' | 'Foreground' | 'Orphan'; unblock: boolean }

export function verdictOn(
  node: GraphNode,
  stateOf: (ownerUid: string) => OwnerState,
  dependents: GraphNode[],
): Verdict {
  if (isBeingDeleted(node)) return verdictOnDeleted(node, dependents)
  const owners = ownersOf(node)
  if (owners.length === 0) return { action: 'nothing' }
  const inState = (state: OwnerState): string[] => owners.map(({ uid }) => uid).filter((uid) => stateOf(uid) === state)
  const waiting = inState('waiting')
  const gone = [...inState('absent'), ...waiting]
  if (gone.length < owners.length)
    return gone.length === 0 ? { action: 'nothing' } : { action: 'forgetOwners', uids: gone }
  if (waiting.length > 0 && dependents.length > 0) {
    return { action: 'delete', policy: 'Foreground', unblock: dependents.some(waitsForDependents) }
  }
  return { action: 'delete', policy: policyOf(node), unblock: false }
}

function verdictOnDeleted(node: GraphNode, dependents: GraphNode[]): Verdict {
  if (waitsForOrphans(node)) return { action: 'setDependentsFree' }
  if (!waitsForDependents(node)) return { action: 'nothing' }
  const blocking = dependents.filter((dependent) => blocks(dependent, node.object.metadata.uid))
  if (blocking.length === 0) return { action: 'finishDeletion' }
  return { action: 'deleteDependents', dependents: blocking.filter((dependent) => !isBeingDeleted(dependent)) }
}

/** Finalizers that were put on beforehand say how the object wants its own dependents to be treated. */
function policyOf({ object }: GraphNode): 'Background' | 'Foreground' | 'Orphan' {
  const finalizers = object.metadata.finalizers ?? []
  if (finalizers.includes(orphanFinalizer)) return 'Orphan'
  return finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background'
}
