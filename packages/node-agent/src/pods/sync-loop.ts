/**
 * The loop of the node agent: whatever happens to a pod of this node, its key goes into one queue, and a worker syncs it.
 *
 *   pods assigned to this node (watch) ──┐
 *   what happens to containers (engine) ─┼──► WorkQueue ──► sync(pod) ── later? ──┐
 *   verdicts of probes, ends of stops ───┤        ▲                               │
 *   ConfigMaps and Secrets they name ────┘        └───────────────────────────────┘
 *
 * Callers may rely on: a pod is never synced twice at a time; each sync runs as an answer to the revision that asked for
 * it; what the engine runs for pods that do not exist (any more) is ended. The queue can be paused and stepped like
 * every other control loop. Follows upstream's syncLoop and pod workers.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { canonicalJson } from '@dinghy/shared/api/hash'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { hasReason } from '@dinghy/shared/api/errors'
import type { Pod } from '@dinghy/shared/api/types'
import { withCause } from '@dinghy/shared/client/causality'
import type { Change, Informer } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/client/logger'
import { debugQueues } from '@dinghy/shared/reconcile/gate'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { PodIdentity } from '../observed/observed-pod.ts'
import type { PodSync } from './pod-sync.ts'
import type { StatusWriter } from './status-writer.ts'

/** Each pod may be busy (pulling an image, say) without holding up another: as many workers as a node has pods. */
const workers = 110
/** While the engine or the api-server is away nothing is wrong with the pod: look again soon. */
const unreachableRetryMs = 500

export interface SyncLoopOptions {
  name: string
  pods: Informer<Pod>
  sync: PodSync
  statuses: StatusWriter
  clock: Clock
  log: Logger
}

export class SyncLoop {
  readonly #options: SyncLoopOptions
  readonly #queue: WorkQueue
  /** Uids of gone pods whose remains are being removed. */
  readonly #orphans = new Set<string>()
  #signal: AbortSignal = AbortSignal.abort()

  constructor(options: SyncLoopOptions) {
    this.#options = options
    this.#queue = new WorkQueue({ clock: options.clock })
    options.pods.onChange((change) => this.#onPodChange(change))
  }

  /** Resolves when the signal has aborted and the syncs under way have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, pods } = this.#options
    this.#signal = signal
    debugQueues.set(name, this.#queue)
    try {
      await Promise.race([pods.synced(), aborted(signal)])
      await Promise.all(Array.from({ length: workers }, () => this.#work(signal)))
    } finally {
      this.#queue.shutDown()
      debugQueues.delete(name)
    }
  }

  /** Something happened to the pod that is not in its object. */
  wake(pod: { namespace?: string | undefined; name: string }, revision?: string): void {
    this.#queue.add(makeKey(pod.namespace, pod.name), revision)
  }

  wakeUid(podUid: string, revision?: string): void {
    const pod = this.#options.pods.lister.list().find(({ metadata }) => metadata.uid === podUid)
    if (pod) this.#queue.add(keyOf(pod), revision)
  }

  /** What the engine has: pods that do not exist are ended, whether they went before this agent came or behind its back. */
  onRelist(seen: readonly PodIdentity[]): void {
    const { pods } = this.#options
    if (!pods.hasSynced()) return
    const known = new Set(pods.lister.list().map(({ metadata }) => metadata.uid))
    for (const { uid } of seen) if (!known.has(uid)) this.#endOrphan(uid)
  }

  #onPodChange({ type, object, previous, revision }: Change<Pod>): void {
    const { sync, statuses } = this.#options
    const { uid, deletionTimestamp } = object.metadata
    if (type === 'deleted') {
      sync.interrupt(uid)
      this.#endOrphan(uid)
      return
    }
    if (type === 'updated' && previous) {
      if (isOnlyStatus(previous, object) && statuses.isOurs(object)) return
      if (deletionTimestamp && !previous.metadata.deletionTimestamp) sync.interrupt(uid)
    }
    this.#queue.add(keyOf(object), revision)
  }

  #endOrphan(uid: string): void {
    if (this.#orphans.has(uid) || this.#signal.aborted) return
    this.#orphans.add(uid)
    this.#options.sync
      .endOrphan(uid, this.#signal)
      .catch((error: unknown) => {
        // The next relist finds it again.
        if (!this.#signal.aborted) this.#options.log.warn({ uid, err: error }, 'removing a deleted pod failed')
      })
      .finally(() => this.#orphans.delete(uid))
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let next = await this.#queue.take(signal); next; next = await this.#queue.take(signal)) {
      const { key, cause } = next
      try {
        const pod = this.#options.pods.lister.get(key)
        const later = pod && (await withCause(cause, () => this.#options.sync.sync(pod, signal)))
        this.#queue.forget(key)
        if (later) this.#queue.addAfter(key, later.requeueAfterMs)
      } catch (error) {
        if (!signal.aborted) this.#retry(key, cause, error)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  #retry(key: string, cause: string | undefined, error: unknown): void {
    const { log } = this.#options
    if (isUnreachable(error) || hasReason(error, 'ServiceUnavailable')) {
      log.debug({ pod: key, err: error }, 'syncing a pod has to wait')
      this.#queue.addAfter(key, unreachableRetryMs, cause)
      return
    }
    log.warn({ pod: key, err: error }, 'syncing a pod failed: trying again')
    this.#queue.addRateLimited(key, cause)
  }
}

function isOnlyStatus(before: Pod, after: Pod): boolean {
  return canonicalJson(withoutStatus(before)) === canonicalJson(withoutStatus(after))
}

function withoutStatus({ metadata, spec }: Pod): unknown {
  const { resourceVersion: _resourceVersion, managedFields: _managedFields, ...rest } = metadata
  return { metadata: rest, spec }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
