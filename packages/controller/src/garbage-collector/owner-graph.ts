/**
 * The owner graph: who owns whom, over the metadata of every object in the cluster. Plain data, fed by watches.
 *
 * Objects are known by uid: names are reused, uids never. An owner that we have not seen has no node here, but its
 * dependents are found by its uid all the same; whether it exists must then be asked of the server.
 */

import type { KubernetesObject, OwnerReference } from '@dinghy/shared/api/types'
import type { Resource } from '@dinghy/shared/api/resources'

/** Keeps an object until the dependents that block its deletion are gone. */
export const foregroundFinalizer = 'foregroundDeletion'
/** Keeps an object until its dependents have been told to forget it. */
export const orphanFinalizer = 'orphan'

export interface GraphNode {
  resource: Resource
  /** Metadata only. */
  object: KubernetesObject
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>()
  /** Owner uid → dependents' uids. */
  readonly #dependents = new Map<string, Set<string>>()

  get size(): number {
    return this.#nodes.size
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  set(node: GraphNode): void {
    const { uid } = node.object.metadata
    this.delete(uid)
    this.#nodes.set(uid, node)
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid)
      if (dependents) dependents.add(uid)
      else this.#dependents.set(owner.uid, new Set([uid]))
    }
  }

  delete(uid: string): void {
    const node = this.#nodes.get(uid)
    if (!node) return
    this.#nodes.delete(uid)
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid)
      dependents?.delete(uid)
      if (dependents?.size === 0) this.#dependents.delete(owner.uid)
    }
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? [])
  }
}

export function ownersOf({ object }: GraphNode): OwnerReference[] {
  return object.metadata.ownerReferences ?? []
}

/** Deleted, but staying until its dependents are gone. */
export function waitsForDependents({ object: { metadata } }: GraphNode): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(foregroundFinalizer)
}

/** Deleted, but staying until its dependents have been set free. */
export function waitsForOrphans({ object: { metadata } }: GraphNode): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(orphanFinalizer)
}

export function isBeingDeleted({ object }: GraphNode): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** Whether this dependent keeps that owner from being deleted in the foreground. */
export function blocks(dependent: GraphNode, ownerUid: string): boolean {
  return ownersOf(dependent).some(({ uid, blockOwnerDeletion }) => uid === ownerUid && blockOwnerDeletion === true)
}
