/**
 * Informer: a Lister that a Reflector keeps up to date, and handlers that hear of every change.
 *
 * Handlers may rely on: the Lister already shows the change; a change is delivered once; `revision` is the revision
 * that made it (of the deletion, for a deletion). A handler that comes late first hears of everything that is there.
 * A handler must be quick and synchronous: it puts a key in a work queue and returns.
 */

import { systemClock, type Clock } from '../api/clock.ts'
import { keyOf } from '../api/keys.ts'
import type { Resource } from '../api/resources.ts'
import type { KubernetesObject, WatchEvent } from '../api/types.ts'
import type { ApiClient } from './api-client.ts'
import { Lister, type IndexFunction } from './lister.ts'
import { stderrLogger, type Logger } from './stderr-logger.ts'
import { Reflector, type Selection } from './reflector.ts'

export interface Change<T> {
  type: 'added' | 'updated' | 'deleted'
  object: T
  previous?: T
  /** The resourceVersion at which this happened. */
  revision: string
}

export type ChangeHandler<T> = (change: Change<T>) => void

export interface InformerOptions extends Selection {
  clock?: Clock
  log?: Logger
}

export class Informer<T extends KubernetesObject> {
  readonly resource: Resource<T>
  readonly lister = new Lister<T>()
  readonly #reflector: Reflector<T>
  readonly #log: Logger
  readonly #handlers: ChangeHandler<T>[] = []
  readonly #synced: Promise<void>
  #markSynced: () => void = () => undefined
  #hasSynced = false

  constructor(client: ApiClient, resource: Resource<T>, options: InformerOptions = {}) {
    const { clock = systemClock, log = stderrLogger, ...selection } = options
    this.resource = resource
    this.#log = log
    this.#synced = new Promise((resolve) => (this.#markSynced = resolve))
    const sink = {
      replace: (objects: T[], revision: string) => this.#replace(objects, revision),
      apply: (event: WatchEvent<T>) => this.#apply(event),
    }
    this.#reflector = new Reflector({ client, resource, selection, sink, clock, log })
  }

  onChange(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler)
    for (const object of this.lister.list()) {
      this.#call(handler, { type: 'added', object, revision: object.metadata.resourceVersion })
    }
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    this.lister.addIndex(name, valuesOf)
  }

  /** Keeps the cache up to date until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#reflector.run(signal)
  }

  /** Watches anew by another connection; nothing is lost. */
  reconnect(): void {
    this.#reflector.reconnect()
  }

  /** Resolves when the first complete list is in the cache and the handlers have heard of it. */
  async synced(): Promise<void> {
    await this.#synced
  }

  hasSynced(): boolean {
    return this.#hasSynced
  }

  /** Everything up to here is in the cache: whoever wrote at a revision can tell whether the cache shows it yet. */
  get revision(): string | undefined {
    return this.#reflector.revision
  }

  #replace(objects: T[], revision: string): void {
    const gone = new Set(this.lister.keys())
    for (const object of objects) {
      gone.delete(keyOf(object))
      this.#set(object)
    }
    // Deleted while we were not watching: the exact revision is unknown, the list's is the latest it can have been.
    for (const key of gone) this.#delete(key, undefined, revision)
    if (!this.#hasSynced)
      this.#log.debug({ resource: this.resource.plural, objects: objects.length }, 'informer synced')
    this.#hasSynced = true
    this.#markSynced()
  }

  #apply({ type, object }: WatchEvent<T>): void {
    if (type === 'DELETED') this.#delete(keyOf(object), object, object.metadata.resourceVersion)
    else this.#set(object)
  }

  #set(received: T): void {
    const object = deepFreeze(withSpecAndStatus(received))
    const revision = object.metadata.resourceVersion
    const key = keyOf(object)
    const previous = this.lister.get(key)
    if (previous?.metadata.resourceVersion === revision) return
    if (previous && previous.metadata.uid !== object.metadata.uid) {
      // Deleted and created again between two lists. One "updated" would hide that the old object is gone.
      this.#delete(key, undefined, revision)
      this.lister.set(object)
      this.#notify({ type: 'added', object, revision })
      return
    }
    this.lister.set(object)
    this.#notify(previous ? { type: 'updated', object, previous, revision } : { type: 'added', object, revision })
  }

  #delete(key: string, last: T | undefined, revision: string): void {
    const previous = this.lister.delete(key)
    if (!previous) return
    const object = last ? deepFreeze(withSpecAndStatus(last)) : previous
    this.#notify({ type: 'deleted', object, previous, revision })
  }

  #notify(change: Change<T>): void {
    for (const handler of this.#handlers) this.#call(handler, change)
  }

  #call(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change)
    } catch (error) {
      // One broken handler must not keep the change from the others, nor stop the watch.
      this.#log.error({ kind: this.resource.kind, key: keyOf(change.object), err: error }, 'an informer handler failed')
    }
  }
}

/** All of a process' informers: one per resource and selection, however many controllers ask for it. */
export class Informers {
  readonly #client: ApiClient
  readonly #options: { clock: Clock; log: Logger }
  readonly #informers = new Map<string, Informer<KubernetesObject>>()
  #signal: AbortSignal | undefined

  constructor(client: ApiClient, options: { clock: Clock; log: Logger }) {
    this.#client = client
    this.#options = options
  }

  for<T extends KubernetesObject>(resource: Resource<T>, selection: Selection = {}): Informer<T> {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = selection
    const { group, version, plural } = resource
    const key = JSON.stringify([group, version, plural, namespace, labelSelector, fieldSelector, metadataOnly])
    const known = this.#informers.get(key)
    if (known) return known as unknown as Informer<T>
    const informer = new Informer(this.#client, resource, { ...selection, ...this.#options })
    this.#informers.set(key, informer as unknown as Informer<KubernetesObject>)
    if (this.#signal) this.#run(informer, this.#signal)
    return informer
  }

  /** Starts every informer there is; one that is asked for later starts when it is asked for. */
  start(signal: AbortSignal): void {
    if (this.#signal) return
    this.#signal = signal
    for (const informer of this.#informers.values()) this.#run(informer, signal)
  }

  /** For whoever notices that the network was gone: connections of before may be dead without a word. */
  reconnect(): void {
    for (const informer of this.#informers.values()) informer.reconnect()
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced()))
  }

  #run<T extends KubernetesObject>(informer: Informer<T>, signal: AbortSignal): void {
    informer.run(signal).catch((error: unknown) => {
      this.#options.log.error({ kind: informer.resource.kind, err: error }, 'an informer stopped')
    })
  }
}

/**
 * An object that has a spec or a status has both. Readers rely on it, and one object that was stored without (a patch
 * of `status: null` did that) must not stop the loops and indexes that serve all others. client-go calls it a
 * transform.
 */
function withSpecAndStatus<T extends KubernetesObject & { spec?: unknown; status?: unknown }>(object: T): T {
  const isWhole = isObject(object.spec) === isObject(object.status) && object.spec !== null && object.status !== null
  return isWhole ? object : { ...object, spec: object.spec ?? {}, status: object.status ?? {} }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
