/**
 * Consequences: one object has appeared, changed or gone; on which objects must there be a verdict now? Pure.
 * Too many is harmless (each verdict reads the state afresh), too few would leave garbage behind.
 */

import type { OwnerReference } from '@dinghy/shared/api/types'
import {
  isBeingDeleted,
  ownersOf,
  waitsForDependents,
  waitsForOrphans,
  type GraphNode,
  type OwnerGraph,
} from './owner-graph.ts'

/** `node` is in the graph already; `previous` is what it was before, if it was. */
export function afterChange(graph: OwnerGraph, node: GraphNode, previous: GraphNode | undefined): GraphNode[] {
  const concerned = isDoubtful(graph, node) ? [node] : []
  // Its dependents must go before it can.
  if (waitsForDependents(node)) concerned.push(...graph.dependentsOf(node.object.metadata.uid))
  // Owners that it kept waiting, and perhaps no longer does.
  return [...concerned, ...waitingOwners(graph, node), ...(previous ? waitingOwners(graph, previous) : [])]
}

/** `node` has left the graph. */
export function afterRemoval(graph: OwnerGraph, node: GraphNode): GraphNode[] {
  return [...graph.dependentsOf(node.object.metadata.uid), ...waitingOwners(graph, node)]
}

/** Is there anything about this object that only the server can answer, or that must be done? */
export function isDoubtful(graph: OwnerGraph, node: GraphNode): boolean {
  if (isBeingDeleted(node)) return waitsForDependents(node) || waitsForOrphans(node)
  return ownersOf(node).some((reference) => {
    const owner = graph.get(reference.uid)
    return !owner || waitsForDependents(owner) || !isReferredTo(owner, reference, node)
  })
}

function waitingOwners(graph: OwnerGraph, node: GraphNode): GraphNode[] {
  return ownersOf(node).flatMap(({ uid }) => {
    const owner = graph.get(uid)
    return owner && waitsForDependents(owner) ? [owner] : []
  })
}

/** A reference names no namespace: a namespaced owner must be in that of its dependent. */
function isReferredTo({ object, resource }: GraphNode, reference: OwnerReference, dependent: GraphNode): boolean {
  const { name, namespace } = object.metadata
  const isReachable = !resource.namespaced || namespace === dependent.object.metadata.namespace
  return isReachable && object.kind === reference.kind && name === reference.name
}
