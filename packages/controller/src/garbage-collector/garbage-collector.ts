/**
 * The garbage collector: what is owned goes when its owners go.
 *
 *     monitors ──► owner graph ──► consequences: whose turn is it? ──► work queue ──► verdict ──► act
 *
 * The three ways to delete an owner (propagationPolicy):
 *   Background  the owner goes at once; its dependents are found ownerless, and go after it
 *   Foreground  the owner stays, with a finalizer, until the dependents that block it (blockOwnerDeletion) are gone
 *   Orphan      the owner stays, with a finalizer, until its dependents have lost their reference to it, and live on
 *
 * Before anything is deleted the server is asked anew, and every deletion names the uid and revision that was judged:
 * the caches tell us where to look, never that an owner is gone. Follows pkg/controller/garbagecollector.
 */

import { conflict } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject, OwnerReference } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { currentCause } from '@dinghy/shared/client/causality'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runWorkers, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { ifPresent } from '../children/if-present.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { afterChange, afterRemoval, isDoubtful } from './consequences.ts'
import { Monitors, type ResourceChange } from './monitors.ts'
import {
  foregroundFinalizer,
  OwnerGraph,
  orphanFinalizer,
  ownersOf,
  waitsForDependents,
  type GraphNode,
} from './owner-graph.ts'
import { verdictOn, type OwnerState, type Verdict } from './verdict.ts'

const name = 'generic-garbage-collector'
/** An owner of a kind that the server does not know may be of a custom kind that it will know soon. */
const unknownKindRetryMs = 30_000
/** Owners known to be gone, so that a hundred dependents of one do not ask a hundred times. A uid never comes back. */
const rememberedAbsent = 500

type Writing = Pick<ReconcileContext, 'client' | 'signal'>

export class GarbageCollector implements Controller {
  readonly #deps: ControllerDeps
  readonly #graph = new OwnerGraph()
  readonly #absent = new Set<string>()
  readonly #queue: WorkQueue
  readonly #monitors: Monitors
  readonly #recorder: EventRecorder

  constructor(deps: ControllerDeps) {
    const { clock, log } = deps
    const client = deps.client.as(name)
    this.#deps = { ...deps, client }
    this.#queue = new WorkQueue({ clock })
    this.#monitors = new Monitors(this.#deps, (change) => this.#follow(change))
    this.#recorder = new EventRecorder(client, { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    let markSynced = (): void => undefined
    const synced = new Promise<void>((resolve) => (markSynced = resolve))
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    const options = { ...this.#deps, name, workers: 4, reconcile }
    await Promise.all([this.#monitors.run(markSynced, signal), runWorkers(options, this.#queue, synced, signal)])
    this.#recorder.stop()
  }

  #follow({ type, object, resource, revision }: ResourceChange): void {
    const previous = this.#graph.get(object.metadata.uid)
    const node = { resource, object }
    if (type === 'deleted') this.#graph.delete(object.metadata.uid)
    else this.#graph.set(node)
    const concerned = type === 'deleted' ? afterRemoval(this.#graph, node) : afterChange(this.#graph, node, previous)
    for (const one of concerned) this.#queue.add(queueKeyOf(one), revision)
  }

  async reconcile(key: string, { client, signal }: ReconcileContext): Promise<Requeue> {
    const uid = key.slice(key.lastIndexOf('/') + 1)
    const known = this.#graph.get(uid)
    if (!known || !isDoubtful(this.#graph, known)) return undefined
    const object = await ifPresent(client.get(known.resource, known.object.metadata, {}, signal))
    // Gone, or replaced by another of its name: the watch will tell, or already has.
    if (object?.metadata.uid !== uid) return undefined
    const node = { resource: known.resource, object }

    const states = new Map<string, OwnerState>()
    for (const owner of ownersOf(node)) {
      const state = await this.#stateOf(owner, node, signal)
      if (state === undefined) return requeueAfter(unknownKindRetryMs)
      states.set(owner.uid, state)
    }
    const verdict = verdictOn(node, (owner) => states.get(owner) ?? 'solid', this.#graph.dependentsOf(uid))
    await this.#carryOut(verdict, node, { client, signal })
    return undefined
  }

  async #carryOut(verdict: Verdict, node: GraphNode, { client, signal }: Writing): Promise<void> {
    switch (verdict.action) {
      case 'nothing':
        break
      case 'setDependentsFree': {
        const { uid } = node.object.metadata
        for (const dependent of this.#graph.dependentsOf(uid)) await forgetOwners(client, dependent, [uid], signal)
        await removeFinalizer(client, node, orphanFinalizer, signal)
        break
      }
      case 'finishDeletion':
        await removeFinalizer(client, node, foregroundFinalizer, signal)
        break
      case 'deleteDependents':
        for (const dependent of verdict.dependents) this.#queue.add(queueKeyOf(dependent), currentCause())
        break
      case 'forgetOwners':
        await forgetOwners(client, node, verdict.uids, signal)
        break
      case 'delete': {
        const judged = verdict.unblock ? await unblockOwners(client, node, signal) : node
        await remove(client, judged, verdict.policy, signal)
        const fields = { key: queueKeyOf(node), policy: verdict.policy }
        this.#deps.log.info(fields, 'collected: its owners are gone')
      }
    }
  }

  /** Undefined: it cannot be told. */
  async #stateOf(owner: OwnerReference, dependent: GraphNode, signal: AbortSignal): Promise<OwnerState | undefined> {
    const resource = this.#monitors.resourceOf(owner)
    if (!resource) return undefined
    const { namespace } = dependent.object.metadata
    if (resource.namespaced && namespace === undefined) {
      // Not allowed, and not decidable: which namespace would it be in? Never a reason to delete anything.
      this.#warn(dependent, `ownerRef ${textOf(owner)} is namespaced, but the object is not`)
      return 'solid'
    }
    const ref = { name: owner.name, namespace: resource.namespaced ? namespace : undefined }
    const known = this.#graph.get(owner.uid)
    if (known && isAt(known, resource, ref)) return waitsForDependents(known) ? 'waiting' : 'solid'

    const absence = `${namespace}/${owner.uid}`
    if (this.#absent.has(absence)) return 'absent'
    const live = await ifPresent(this.#deps.client.get(resource, ref, {}, signal))
    if (live?.metadata.uid === owner.uid) return waitsForDependents({ resource, object: live }) ? 'waiting' : 'solid'
    if (known && known.object.metadata.namespace !== namespace && resource.namespaced) {
      this.#warn(dependent, `ownerRef ${textOf(owner)} does not exist in namespace ${JSON.stringify(namespace)}`)
    }
    this.#absent.add(absence)
    const [oldest] = this.#absent
    if (oldest !== undefined && this.#absent.size > rememberedAbsent) this.#absent.delete(oldest)
    return 'absent'
  }

  #warn({ object }: GraphNode, message: string): void {
    this.#recorder.event(object, 'Warning', 'OwnerRefInvalidNamespace', message)
  }
}

/** Readable in the queue's snapshot; the uid at the end is what counts. */
function queueKeyOf({ resource, object: { metadata } }: GraphNode): string {
  const kind = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
  return `${kind}/${makeKey(metadata.namespace, metadata.name)}/${metadata.uid}`
}

function isAt(
  { resource, object }: GraphNode,
  expected: Resource,
  ref: { namespace: string | undefined; name: string },
) {
  const { name, namespace } = object.metadata
  return resource.kind === expected.kind && name === ref.name && namespace === ref.namespace
}

function textOf({ apiVersion, kind, name, uid }: OwnerReference): string {
  return `[${apiVersion}/${kind}, name: ${name}, uid: ${uid}]`
}

async function remove(
  client: ApiClient,
  { resource, object }: GraphNode,
  propagationPolicy: 'Background' | 'Foreground' | 'Orphan',
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata
  // The revision too: someone may have given it a new owner since we looked.
  const options = { propagationPolicy, preconditions: { uid, resourceVersion } }
  await ifPresent(client.delete(resource, object.metadata, options, signal))
}

async function forgetOwners(client: ApiClient, node: GraphNode, uids: string[], signal: AbortSignal): Promise<void> {
  const remaining = ownersOf(node).filter(({ uid }) => !uids.includes(uid))
  await patchMetadata(client, node, { ownerReferences: remaining.length > 0 ? remaining : null }, signal)
}

async function removeFinalizer(
  client: ApiClient,
  node: GraphNode,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const finalizers = (node.object.metadata.finalizers ?? []).filter((one) => one !== finalizer)
  await patchMetadata(client, node, { finalizers: finalizers.length > 0 ? finalizers : null }, signal)
}

/** Returns the node as it is after the write, since a deletion must name its revision. */
async function unblockOwners(client: ApiClient, node: GraphNode, signal: AbortSignal): Promise<GraphNode> {
  const ownerReferences = ownersOf(node).map((owner) => ({ ...owner, blockOwnerDeletion: false }))
  const object = await patchMetadata(client, node, { ownerReferences }, signal)
  if (object) return { ...node, object }
  const { group, plural } = node.resource
  throw conflict(group, plural, node.object.metadata.name, 'it was deleted meanwhile')
}

/** A merge patch knows no list items, so the list is sent whole, and only for the revision that it was made from. */
async function patchMetadata(
  client: ApiClient,
  { resource, object }: GraphNode,
  change: object,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const { uid, resourceVersion } = object.metadata
  const body = { metadata: { uid, resourceVersion, ...change } }
  return await ifPresent(client.patch(resource, object.metadata, { type: 'merge', body }, {}, signal))
}
