/**
 * runController: the loop that every controller shares.
 *
 *   informers ── key + revision ──► WorkQueue ──► workers ── inside withCause(revision) ──► reconcile(key)
 *                                      ▲                                                       │
 *                                      └── throws: with backoff · { requeueAfterMs }: later ◄──┘
 *
 * A reconciler may rely on: all informers have synced before it is first called; it never runs for one key twice at a
 * time; whatever it throws, it will be called again. It must read the state, not guess it from what happened.
 * Follows controller-runtime: `reconciles` is For, `owns` is Owns, `watches` is Watches.
 */

import { aborted } from '../api/aborted.ts'
import type { Clock } from '../api/clock.ts'
import { hasReason } from '../api/errors.ts'
import { keyOf } from '../api/keys.ts'
import { controllerOf } from '../api/owners.ts'
import type { Resource } from '../api/resources.ts'
import type { KubernetesObject } from '../api/types.ts'
import type { ApiClient } from '../client/api-client.ts'
import { withCause } from '../client/causality.ts'
import type { Change } from '../client/informer.ts'
import type { Logger } from '../client/stderr-logger.ts'
import { debugQueues, type QueuedKey } from './gate.ts'
import { WorkQueue } from './work-queue.ts'

export interface ReconcileContext {
  signal: AbortSignal
  log: Logger
  /** Writes through this client carry the controller's name. */
  client: ApiClient
}

export type Reconciler = (key: string, context: ReconcileContext) => Promise<{ requeueAfterMs: number } | void>

/** The part of an Informer that a controller listens to: any Informer<T> is one. */
export interface ChangeSource {
  readonly resource: Resource
  onChange(handler: (change: Change<KubernetesObject>) => void): void
  synced(): Promise<void>
}

/** Another resource to listen to, and the keys that one of its objects concerns: `[pods, (pod: Pod) => [...]]`. */
export type Watch = readonly [source: ChangeSource, keysOf: (object: never) => string[]]

export interface WorkerOptions {
  /** The actor of its writes and the name of its queue: "deployment-controller". */
  name: string
  client: ApiClient
  clock: Clock
  log: Logger
  workers?: number
  reconcile: Reconciler
}

export interface ControllerOptions extends WorkerOptions {
  reconciles: ChangeSource
  /** Their changes concern the object that is their controller (metadata.ownerReferences). */
  owns?: ChangeSource[]
  watches?: Watch[]
}

/** While the api-server is away nothing about the key is wrong: look again soon, and do not count it as a failure. */
const unreachableRetryMs = 500

/** Runs until the signal aborts and the reconciles under way have ended. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const queue = new WorkQueue({ clock: options.clock })
  listen(options, queue)
  await runWorkers(options, queue, allSynced(options), signal)
}

/** The lower half, for loops that fill their queue in a way of their own. No key is handed out before `ready`. */
export async function runWorkers(
  options: WorkerOptions,
  queue: WorkQueue,
  ready: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const { name, log, workers = 2 } = options
  debugQueues.set(name, queue)
  try {
    await Promise.race([ready, aborted(signal)])
    log.debug({ controller: name, keys: queue.length }, 'caches have synced')
    await Promise.all(Array.from({ length: workers }, () => work(options, queue, signal)))
  } finally {
    queue.shutDown()
    debugQueues.delete(name)
  }
}

function listen({ reconciles, owns = [], watches = [] }: ControllerOptions, queue: WorkQueue): void {
  reconciles.onChange((change) => queue.add(keyOf(change.object), change.revision))
  const ownerKeys = (object: KubernetesObject): string[] => ownerKeysOf(object, reconciles.resource)
  const others: Watch[] = [...owns.map((source): Watch => [source, ownerKeys]), ...watches]
  for (const [source, keysOf] of others) {
    // Sound by construction: a source only ever delivers the objects that its keysOf was written for.
    const concerned = keysOf as (object: KubernetesObject) => string[]
    source.onChange(({ object, previous, revision }) => {
      // An update may move an object from one owner to another: both must look.
      const keys = new Set([...concerned(object), ...(previous ? concerned(previous) : [])])
      for (const key of keys) queue.add(key, revision)
    })
  }
}

function ownerKeysOf(object: KubernetesObject, ownerResource: Resource): string[] {
  const owner = controllerOf(object)
  if (!owner || owner.kind !== ownerResource.kind) return []
  // Only the group must agree: the version in a reference is whichever its writer spoke.
  const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0] : ''
  if (group !== ownerResource.group) return []
  return [ownerResource.namespaced ? `${object.metadata.namespace}/${owner.name}` : owner.name]
}

async function allSynced({ reconciles, owns = [], watches = [] }: ControllerOptions): Promise<void> {
  const sources = [reconciles, ...owns, ...watches.map(([source]) => source)]
  await Promise.all(sources.map((source) => source.synced()))
}

async function work(options: WorkerOptions, queue: WorkQueue, signal: AbortSignal): Promise<void> {
  const client = options.client.as(options.name)
  for (let next = await queue.take(signal); next; next = await queue.take(signal)) {
    const { key, cause } = next
    try {
      const result = await withCause(cause, () => options.reconcile(key, { signal, log: options.log, client }))
      queue.forget(key)
      // What is done later still answers to what was seen now: an eviction to the taint that was tolerated for a while.
      if (result) queue.addAfter(key, result.requeueAfterMs, cause)
    } catch (error) {
      if (!signal.aborted) retry(options, queue, { key, cause }, error)
    } finally {
      queue.done(key)
    }
  }
}

function retry({ name, log }: WorkerOptions, queue: WorkQueue, { key, cause }: QueuedKey, error: unknown): void {
  const fields = { controller: name, key, err: error }
  if (hasReason(error, 'ServiceUnavailable')) {
    log.debug(fields, 'the api-server is not reachable: trying again')
    queue.addAfter(key, unreachableRetryMs, cause)
    return
  }
  // The ordinary ways to learn that our cache was behind: somebody else wrote, or deleted, first.
  if (hasReason(error, 'Conflict', 'NotFound')) log.debug(fields, 'someone else was quicker: trying again')
  else log.warn(fields, 'reconciling failed: trying again')
  queue.addRateLimited(key, cause)
}
