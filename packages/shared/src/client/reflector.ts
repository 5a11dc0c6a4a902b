/**
 * Reflector: keeps a copy of one resource up to date by one request, a watch that begins with all that there is.
 *
 *        ┌───► watch from the beginning: replace(all, R) ──┐
 *        │                                                 ▼ the same stream
 *   410 Expired                                apply(event), R = its revision ◄── watch from R ──┐
 *        │                                                 │                                     │
 *        └────────────────────── error ◄───────────────────┴─── the connection ends or breaks ───┘
 *
 * Where the server knows no such watch (sendInitialEvents, Kubernetes' WatchList), it is a list and a watch from there.
 * The sink may rely on: no event is lost and none is delivered twice, because a watch always resumes at the revision
 * of the last event (bookmarks move that revision along while nothing of interest happens). When the server no longer
 * remembers the revision, everything is listed anew and the sink works out what changed meanwhile.
 * Follows client-go tools/cache/reflector.go; retries are quicker (see backoff.ts).
 */

import type { Clock } from '../api/clock.ts'
import { StatusError, hasReason } from '../api/errors.ts'
import { keyOf } from '../api/keys.ts'
import type { Resource } from '../api/resources.ts'
import type { KubernetesObject, WatchEvent } from '../api/types.ts'
import type { ApiClient } from './api-client.ts'
import { Backoff } from './backoff.ts'
import type { Logger } from './stderr-logger.ts'

export interface ReflectorSink<T> {
  /** The complete state at `revision`. */
  replace(objects: T[], revision: string): void
  apply(event: WatchEvent<T>): void
}

export interface Selection {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  /** Keep the metadata of the objects and nothing else: for those who look at everything (the garbage collector). */
  metadataOnly?: boolean
}

const fromTheBeginning = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } as const
/** Of the bookmark that ends the beginning. */
const endAnnotation = 'k8s.io/initial-events-end'
/** How long the server keeps one watch open: random in this range, so that watches do not all end together. */
const watchSeconds = { least: 300, most: 600 }

interface ReflectorDeps<T extends KubernetesObject> {
  client: ApiClient
  resource: Resource<T>
  selection: Selection
  sink: ReflectorSink<T>
  clock: Clock
  log: Logger
}

export class Reflector<T extends KubernetesObject> {
  readonly #deps: ReflectorDeps<T>
  readonly #backoff: Backoff
  #connection = new AbortController()
  /** The last revision that the sink has seen; undefined means "from the beginning". */
  #revision: string | undefined
  #listsFirst = false

  constructor(deps: ReflectorDeps<T>) {
    this.#deps = deps
    this.#backoff = new Backoff(deps.clock)
  }

  /** Everything up to here is in the sink; undefined before the first list. */
  get revision(): string | undefined {
    return this.#revision
  }

  /** Gives the connection up, which may be dead without anybody knowing, and goes on by another one. */
  reconnect(): void {
    this.#connection.abort()
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#connection.signal.aborted) this.#connection = new AbortController()
      const connected = AbortSignal.any([signal, this.#connection.signal])
      try {
        if (this.#revision === undefined && this.#listsFirst) await this.#list(connected)
        if (await this.#watch(connected)) continue
        // Ended without a single event: a server that does this at once must not be asked in a busy loop.
        await this.#backoff.wait(connected)
      } catch (error) {
        if (signal.aborted) return
        if (!connected.aborted) await this.#recover(error, signal)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, selection, sink } = this.#deps
    const list = await client.list(resource, selection, signal)
    sink.replace(list.items, list.metadata.resourceVersion)
    this.#revision = list.metadata.resourceVersion
  }

  /** Returns whether anything arrived. */
  async #watch(signal: AbortSignal): Promise<boolean> {
    const { client, resource, selection, sink } = this.#deps
    const { least, most } = watchSeconds
    const options = {
      ...selection,
      ...(this.#revision === undefined ? fromTheBeginning : { resourceVersion: this.#revision }),
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(least + Math.random() * (most - least)),
    }
    let arrived = false
    let beginning = this.#revision === undefined ? new Map<string, T>() : undefined
    for await (const event of client.watch(resource, options, signal)) {
      const { type, object } = event
      const { resourceVersion, annotations } = object.metadata
      if (beginning && annotations?.[endAnnotation] !== 'true') {
        if (type === 'DELETED') beginning.delete(keyOf(object))
        else if (type !== 'BOOKMARK') beginning.set(keyOf(object), object)
        continue
      }
      if (beginning) sink.replace([...beginning.values()], resourceVersion)
      else if (type !== 'BOOKMARK') sink.apply(event)
      beginning = undefined
      arrived = true
      this.#revision = resourceVersion
      this.#backoff.reset()
    }
    return arrived
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { client, resource, clock, log } = this.#deps
    const kind = resource.plural
    const isFirst = this.#revision === undefined && !this.#listsFirst
    if (isFirst && hasReason(error, 'Invalid', 'BadRequest')) return void (this.#listsFirst = true)
    if (isRevisionUnknown(error)) {
      log.info({ kind, revision: this.#revision }, 'the server no longer has this revision: listing again')
      this.#revision = undefined
    } else if (hasReason(error, 'ServiceUnavailable')) {
      log.debug({ kind, err: error }, 'the api-server is not reachable: trying again')
    } else {
      log.warn({ kind, err: error }, 'list or watch failed: trying again')
    }
    await client.pauseAfter(error, this.#backoff, clock, signal).catch((interruption: unknown) => {
      if (!signal.aborted) throw interruption
    })
  }
}

/** Too old (compacted away), or newer than anything the server has: its database was replaced. */
function isRevisionUnknown(error: unknown): boolean {
  if (hasReason(error, 'Expired', 'Gone')) return true
  const causes = error instanceof StatusError ? (error.status.details?.causes ?? []) : []
  return causes.some((cause) => cause.reason === 'ResourceVersionTooLarge')
}
