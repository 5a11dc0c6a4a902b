/**
 * The loop of the node agent: whatever happens to a pod of this node, its key goes into one queue for the workers.
 *
 *   pods assigned to this node (watch) ──┐
 *   what happens to containers (engine) ─┼──► WorkQueue ──► sync(pod) ── later? ──┐
 *   verdicts of probes, ends of stops ───┤        ▲                               │
 *   ConfigMaps and Secrets they name ────┘        └───────────────────────────────┘
 *
 * Callers may rely on: a pod is never synced twice at a time; each sync runs as an answer to the revision that asked
 * for it, also a sync that was put off; what the engine runs for pods that do not exist (any more) is ended. The
 * workers are those of every control loop, so the queue can be paused and stepped. Follows upstream's syncLoop and
 * pod workers.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { canonicalJson } from '@dinghy/shared/api/hash'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import type { Pod } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Change, Informer } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { runWorkers } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { isUnreachable } from '@dinghy/shared/docker/errors'
import type { PodIdentity } from '../observed/observed-pod.ts'
import type { Later, PodSync } from './pod-sync.ts'
import type { StatusWriter } from './status-writer.ts'

/** Each pod may be busy (pulling an image, say) without holding up another: as many workers as a node has pods. */
const workers = 110
/** While the engine is away nothing is wrong with the pod: look again soon. */
const unreachableRetryMs = 500

export interface SyncLoopDeps {
  name: string
  client: ApiClient
  pods: Informer<Pod>
  sync: PodSync
  statuses: StatusWriter
  clock: Clock
  log: Logger
}

export class SyncLoop {
  readonly #deps: SyncLoopDeps
  readonly #queue: WorkQueue
  /** Uids of gone pods whose remains are being removed. */
  readonly #orphans = new Set<string>()
  #signal: AbortSignal = AbortSignal.abort()

  constructor(deps: SyncLoopDeps) {
    this.#deps = deps
    this.#queue = new WorkQueue({ clock: deps.clock })
    deps.pods.onChange((change) => this.#onPodChange(change))
  }

  /** Resolves when the signal has aborted and the syncs under way have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, client, pods, clock, log } = this.#deps
    this.#signal = signal
    const reconcile = (key: string) => this.#sync(key, signal)
    await runWorkers({ name, client, clock, log, workers, reconcile }, this.#queue, pods.synced(), signal)
  }

  /** Something happened to the pod that is not in its object. */
  wake(pod: { namespace?: string | undefined; name: string }, revision?: string): void {
    this.#queue.add(makeKey(pod.namespace, pod.name), revision)
  }

  wakeUid(podUid: string, revision?: string): void {
    const pod = this.#deps.pods.lister.list().find(({ metadata }) => metadata.uid === podUid)
    if (pod) this.#queue.add(keyOf(pod), revision)
  }

  /**
   * What the engine has: pods that do not exist are ended, whether they went before this agent came or behind its
   * back.
   */
  onRelist(seen: readonly PodIdentity[]): void {
    const { pods } = this.#deps
    if (!pods.hasSynced()) return
    const known = new Set(pods.lister.list().map(({ metadata }) => metadata.uid))
    for (const { uid } of seen) if (!known.has(uid)) this.#endOrphan(uid)
  }

  #onPodChange({ type, object, previous, revision }: Change<Pod>): void {
    const { sync, statuses } = this.#deps
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
    this.#deps.sync
      .endOrphan(uid, this.#signal)
      .catch((error: unknown) => {
        // The next relist finds it again.
        if (!this.#signal.aborted) this.#deps.log.warn({ uid, err: error }, 'removing a deleted pod failed')
      })
      .finally(() => this.#orphans.delete(uid))
  }

  async #sync(key: string, signal: AbortSignal): Promise<Later> {
    const { pods, sync, log } = this.#deps
    const pod = pods.lister.get(key)
    if (!pod) return undefined
    try {
      return await sync.sync(pod, signal)
    } catch (error) {
      if (!isUnreachable(error)) throw error
      log.debug({ pod: key, err: error }, 'syncing a pod has to wait for the container runtime')
      return { requeueAfterMs: unreachableRetryMs }
    }
  }
}

function isOnlyStatus(before: Pod, after: Pod): boolean {
  return canonicalJson(withoutStatus(before)) === canonicalJson(withoutStatus(after))
}

function withoutStatus({ metadata, spec }: Pod): unknown {
  const { resourceVersion: _resourceVersion, managedFields: _managedFields, ...rest } = metadata
  return { metadata: rest, spec }
}
