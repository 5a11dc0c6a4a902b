/**
 * Ownership: the edge from a child object to the one that made it. At most one owner is the *controller*, the one
 * whose reconciler looks after the child; the garbage collector follows all of them. Owners are compared by uid: a
 * new object that took a dead one's name owns nothing of it.
 */
import type { KubernetesObject, OwnerReference } from './types.ts'

type Owned = { metadata: { ownerReferences?: OwnerReference[] } }

/** The owner that controls this object, if one does. */
export function controllerOf(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}

export function isControlledBy(object: Owned, owner: { metadata: { uid: string } }): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid
}

/**
 * A reference to put into a child. The defaults are those of a controller for its own children
 * (upstream's NewControllerRef): both flags true.
 */
export function ownerReferenceTo(
  object: KubernetesObject,
  type: { group: string; version: string; kind: string },
  options: { controller?: boolean; blockOwnerDeletion?: boolean } = {},
): OwnerReference {
  return {
    apiVersion: type.group === '' ? type.version : `${type.group}/${type.version}`,
    kind: type.kind,
    name: object.metadata.name,
    uid: object.metadata.uid,
    controller: options.controller ?? true,
    blockOwnerDeletion: options.blockOwnerDeletion ?? true,
  }
}
