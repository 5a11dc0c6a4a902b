/**
 * Writes pod statuses: only when they differ from what the server has, one write for each pod at a time, and when the
 * status changes during a write, only the newest is written next.
 *
 * Callers may rely on: latest() is the pod with the newest status known, also while that is still on its way; flush()
 * resolves when it has arrived; conflicts are resolved by writing our part onto whatever the server has.
 * As in upstream's status manager, the DELETE that ends the object comes from here, too.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { hasReason } from '@dinghy/shared/api/errors'
import { Pods } from '@dinghy/shared/api/resources'
import type { Pod, PodStatus } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { Backoff } from '@dinghy/shared/client/backoff'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { isSameStatus, withOurPart } from './pod-status.ts'

interface Entry {
  /** The newest version that the server has told us. */
  server: Pod
  /** What is to be written, or is being written. */
  wanted: PodStatus | undefined
  writing: Promise<void> | undefined
}

export class StatusWriter {
  readonly #client: ApiClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #signal: AbortSignal
  /** By pod uid. */
  readonly #entries = new Map<string, Entry>()

  constructor(deps: { client: ApiClient; clock: Clock; log: Logger; signal: AbortSignal }) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log
    this.#signal = deps.signal
  }

  latest(pod: Pod): Pod {
    const entry = this.#entry(pod)
    if (entry.wanted) return { ...pod, status: entry.wanted }
    return { ...pod, status: entry.server.status }
  }

  /** Whether this version of a pod tells us nothing that we did not write ourselves. */
  isOurs(pod: Pod): boolean {
    const entry = this.#entries.get(pod.metadata.uid)
    return entry !== undefined && isSameStatus(entry.wanted ?? entry.server.status, pod.status)
  }

  publish(pod: Pod, status: PodStatus): void {
    const entry = this.#entry(pod)
    if (isSameStatus(entry.wanted ?? entry.server.status, status)) return
    entry.wanted = status
    entry.writing ??= this.#write(entry)
  }

  async flush(podUid: string): Promise<void> {
    await this.#entries.get(podUid)?.writing
  }

  /** With no grace left: the object goes at once. */
  async deletePod({ metadata }: Pod, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name, uid } = metadata
    try {
      const options = { gracePeriodSeconds: 0, preconditions: { uid } }
      await this.#client.delete(Pods, { namespace, name }, options, signal)
    } catch (error) {
      // Gone already, or there is a new pod of that name: either way ours is.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error
    }
  }

  forget(podUid: string): void {
    this.#entries.delete(podUid)
  }

  #entry(pod: Pod): Entry {
    const entry = this.#entries.get(pod.metadata.uid)
    if (!entry) {
      const created: Entry = { server: pod, wanted: undefined, writing: undefined }
      this.#entries.set(pod.metadata.uid, created)
      return created
    }
    if (Number(pod.metadata.resourceVersion) > Number(entry.server.metadata.resourceVersion)) entry.server = pod
    return entry
  }

  async #write(entry: Entry): Promise<void> {
    const backoff = new Backoff(this.#clock)
    // Begun by publish() itself: the rest of its reconcile comes first, and may still change its mind.
    await Promise.resolve()
    while (entry.wanted && !this.#signal.aborted) {
      const { wanted } = entry
      try {
        await this.#put(entry, wanted)
      } catch (error) {
        if (this.#signal.aborted) break
        if (!(await this.#survives(entry, error, backoff))) break
        continue
      }
      if (entry.wanted === wanted) entry.wanted = undefined
    }
    entry.writing = undefined
  }

  async #put(entry: Entry, wanted: PodStatus): Promise<void> {
    const { server } = entry
    const next: Pod = { ...server, status: withOurPart(server.status, wanted) }
    const written = await this.#client.update(Pods, next, { subresource: 'status' }, this.#signal)
    if (Number(written.metadata.resourceVersion) > Number(entry.server.metadata.resourceVersion)) entry.server = written
  }

  /** Whether it makes sense to go on. */
  async #survives(entry: Entry, error: unknown, backoff: Backoff): Promise<boolean> {
    const { name, namespace, uid } = entry.server.metadata
    if (hasReason(error, 'Conflict')) {
      const fresh = await this.#refetch(entry.server)
      // Deleted, and perhaps made anew: this pod's status interests nobody any more.
      if (!fresh) return this.#drop(entry)
      entry.server = fresh
      return true
    }
    if (hasReason(error, 'NotFound')) return this.#drop(entry)
    this.#log.warn({ pod: name, namespace, uid, err: error }, 'writing the status of a pod failed')
    if (hasReason(error, 'Invalid', 'BadRequest', 'Forbidden')) return this.#drop(entry)
    // Only the end of the agent cuts the pause short.
    await backoff.wait(this.#signal).catch(() => undefined)
    return !this.#signal.aborted
  }

  async #refetch({ metadata }: Pod): Promise<Pod | undefined> {
    const { namespace = 'default', name, uid } = metadata
    try {
      const fresh = await this.#client.get(Pods, { namespace, name }, {}, this.#signal)
      return fresh.metadata.uid === uid ? fresh : undefined
    } catch (error) {
      // A node may not ask for pods that are none of its own, and one that is gone is nobody's.
      if (hasReason(error, 'NotFound', 'Forbidden')) return undefined
      throw error
    }
  }

  #drop(entry: Entry): false {
    entry.wanted = undefined
    return false
  }
}
