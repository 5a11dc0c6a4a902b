/**
 * Whose children are whose. An owner's children are not those that match its selector, but those that name it as their
 * controller; the selector only decides who may join and who must leave:
 *
 *                        matches the selector        does not match
 *     names us           ours                        released: the reference is removed
 *     names nobody       adopted: we are added       none of our business
 *     names another      none of our business        none of our business
 *
 * Callers may rely on: an owner that is being deleted adopts and releases nothing, and before the first adoption the
 * owner is read from the server, because adopting for an owner that is already gone would make the garbage collector
 * delete the orphan. The patches name the child's uid, so they can't hit a newcomer of the same name.
 * Follows controller_ref_manager.go.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import { controllerOf, ownerReferenceTo } from '@dinghy/shared/api/owners'
import type { Resource } from '@dinghy/shared/api/resources'
import { matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informer } from '@dinghy/shared/client/informer'

export type Claim = 'ours' | 'adopt' | 'release' | 'ignore'

/** The table above. */
export function decideClaim(owner: KubernetesObject, selector: Selector, child: KubernetesObject): Claim {
  const controller = controllerOf(child)
  const matches = matchesLabels(selector, child.metadata.labels)
  const isOwnerLeaving = owner.metadata.deletionTimestamp !== undefined
  if (controller) {
    if (controller.uid !== owner.metadata.uid) return 'ignore'
    if (matches) return 'ours'
    return isOwnerLeaving ? 'ignore' : 'release'
  }
  return matches && !isOwnerLeaving && child.metadata.deletionTimestamp === undefined ? 'adopt' : 'ignore'
}

const controllerIndex = 'controller'
function orphansOf(namespace: string | undefined) {
  return `orphans/${namespace ?? ''}`
}

/** To be called for the children's informer before it starts: finding children must not mean walking all pods. */
export function indexByController<T extends KubernetesObject>(informer: Informer<T>): void {
  informer.addIndex(controllerIndex, (child) => [controllerOf(child)?.uid ?? orphansOf(child.metadata.namespace)])
}

/** The children that name this owner as their controller, whether they match its selector or not. */
export function childrenOf<T extends KubernetesObject>(owner: KubernetesObject, children: Informer<T>): T[] {
  return children.lister.byIndex(controllerIndex, owner.metadata.uid)
}

/**
 * The keys of the owners that might adopt this child: whom a new orphan concerns. None if it has a controller already.
 */
export function adoptersOf<O extends KubernetesObject>(
  child: KubernetesObject,
  owners: Informer<O>,
  selectorOf: (owner: O) => Selector,
): string[] {
  if (controllerOf(child)) return []
  const { namespace, labels } = child.metadata
  return owners.lister
    .list({ namespace })
    .filter((owner) => matchesLabels(selectorOf(owner), labels))
    .map(keyOf)
}

export interface ClaimOptions<O extends KubernetesObject, T extends KubernetesObject> {
  client: ApiClient
  resource: Resource<O>
  owner: O
  selector: Selector
  children: Informer<T>
  /** Whether an orphan that matches could be ours at all; a StatefulSet asks for a name with an ordinal. */
  accepts?: (child: T) => boolean
  /** Finalizers that an adopted child must have from then on. */
  finalizers?: string[]
  signal: AbortSignal
}

/** Adopts and releases as the table says, and returns the owner's children. */
export async function claimChildren<O extends KubernetesObject, T extends KubernetesObject>(
  options: ClaimOptions<O, T>,
): Promise<T[]> {
  const { owner, selector, children, accepts = () => true } = options
  const orphans = children.lister.byIndex(controllerIndex, orphansOf(owner.metadata.namespace))
  const claimed: T[] = []
  let hasCheckedOwner = false
  for (const child of [...childrenOf(owner, children), ...orphans]) {
    const claim = decideClaim(owner, selector, child)
    if (claim === 'ours') claimed.push(child)
    if (claim === 'release') await release(options, child)
    if (claim === 'adopt' && accepts(child)) {
      if (!hasCheckedOwner) await checkOwnerIsStillThere(options)
      hasCheckedOwner = true
      const adopted = await adopt(options, child)
      if (adopted) claimed.push(adopted)
    }
  }
  return claimed
}

async function checkOwnerIsStillThere<O extends KubernetesObject, T extends KubernetesObject>(
  options: ClaimOptions<O, T>,
): Promise<void> {
  const { client, resource, owner, signal } = options
  const { namespace, name, uid } = owner.metadata
  const fresh = await client.get(resource, { namespace, name }, {}, signal)
  const which = `${resource.kind} ${namespace}/${name}`
  if (fresh.metadata.uid !== uid) throw new Error(`${which} is gone: got uid ${fresh.metadata.uid}, wanted ${uid}`)
  if (fresh.metadata.deletionTimestamp !== undefined) throw new Error(`${which} has just been deleted`)
}

async function adopt<O extends KubernetesObject, T extends KubernetesObject>(
  { client, resource, owner, children, finalizers, signal }: ClaimOptions<O, T>,
  child: T,
): Promise<T | undefined> {
  const metadata = {
    uid: child.metadata.uid,
    ownerReferences: [ownerReferenceTo(owner, resource)],
    ...(finalizers ? { finalizers } : {}),
  }
  return await patchIfPresent(client, children.resource, child, { metadata }, signal)
}

async function release<O extends KubernetesObject, T extends KubernetesObject>(
  { client, owner, children, finalizers, signal }: ClaimOptions<O, T>,
  child: T,
): Promise<void> {
  const { uid } = child.metadata
  const metadata = {
    uid,
    ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }],
    ...(finalizers ? { '$deleteFromPrimitiveList/finalizers': finalizers } : {}),
  }
  await patchIfPresent(client, children.resource, child, { metadata }, signal)
}

async function patchIfPresent<T extends KubernetesObject>(
  client: ApiClient,
  resource: Resource<T>,
  { metadata: { namespace, name } }: T,
  body: unknown,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await client.patch(resource, { namespace, name }, { type: 'strategic', body }, {}, signal)
  } catch (error) {
    // Deleted meanwhile (or its name now belongs to another uid, which the server calls a conflict or an invalid
    // patch): there is nothing left to claim, and the cache will say so shortly.
    if (hasReason(error, 'NotFound', 'Invalid')) return undefined
    throw error
  }
}
