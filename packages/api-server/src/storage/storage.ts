/**
 * What the api-server asks of a database: ordered keys, compare-and-swap writes, and a log of every change.
 *
 * This is etcd's model in one page. There is one counter, the *revision*; each write takes the next number, without
 * gaps, and an object's `metadata.resourceVersion` is the revision that wrote it. A reader may ask for any revision
 * that has not been compacted away; a watcher that has seen everything up to revision R can continue from R.
 *
 * Beyond etcd, each revision remembers who wrote it (`actor`) and which earlier revision made them (`cause`).
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'

/** One key as it stood at one revision. */
export class Entry {
  readonly key: string
  /** The revision that wrote this state. */
  readonly revision: number
  /** The revision that created the object; a key that was deleted and created again has a new one. */
  readonly createRevision: number
  /** The object as JSON bytes, exactly as it is served. Encoded once, then only copied. */
  readonly value: Buffer
  #parsed: KubernetesObject | undefined

  constructor(key: string, revision: number, createRevision: number, value: Buffer) {
    this.key = key
    this.revision = revision
    this.createRevision = createRevision
    this.value = value
  }

  /** The parsed object, shared by all readers: look, but never change it. */
  get object(): KubernetesObject {
    return (this.#parsed ??= this.copy())
  }

  /** A fresh object that the caller owns and may change. */
  copy(): KubernetesObject {
    return JSON.parse(this.value.toString()) as KubernetesObject
  }
}

/** One change to one key. It applies only if the key still is at `expected`. */
export interface Mutation {
  key: string
  /** The revision the caller has seen; 0 says that the key must not exist. */
  expected: number
  /** The new state, or for a deletion the last one. Storage sets its `metadata.resourceVersion`. */
  object: KubernetesObject
  deleted?: boolean
  actor: string
  cause?: number | undefined
}

export interface ListOptions {
  /** Read the past; undefined reads the present. */
  revision?: number | undefined
  /** At most this many entries; 0 or undefined for all. */
  limit?: number | undefined
  /** Only keys after this one. */
  after?: string | undefined
}

export interface ListResult {
  /** The revision that the list shows: a watch from here misses nothing. */
  revision: number
  entries: Entry[]
  /** Set when the limit cut the list short: the last key returned, to be passed as `after`. */
  continue?: string
  /** How many entries the limit cut off. */
  remaining: number
}

export type StorageEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; revision: number; entry: Entry; previous: Entry | undefined }
  /** Everything up to `revision` has been delivered. Sent only when asked for. */
  | { type: 'PROGRESS'; revision: number }

export interface StorageWatch extends AsyncIterable<StorageEvent> {
  /** The same events, all at once that have happened since the last batch. */
  batches(): AsyncIterable<StorageEvent[]>
  /** Puts a PROGRESS event behind the events that are waiting (etcd's WatchProgressRequest). */
  requestProgress(): void
}

/** One line of the log. */
export interface Revision {
  revision: number
  key: string
  /** The key's revision before this one; 0 if it had none. */
  previous: number
  verb: 'create' | 'update' | 'delete'
  actor: string
  cause: number | undefined
  /** Milliseconds since 1970. */
  at: number
  object: KubernetesObject
}

export interface Storage {
  /** The newest revision. */
  readonly revision: number
  get(key: string, revision?: number): Entry | undefined
  /** Entries whose key starts with `prefix`, in key order. */
  list(prefix: string, options?: ListOptions): ListResult
  /** How many keys now start with `prefix`. */
  count(prefix: string): number
  /**
   * Applies all mutations or none. Resolves once they are on disk; rejects with RevisionConflict if some key has moved
   * on. Other writes that fail never take this one with them.
   */
  write(batch: Mutation[]): Promise<Entry[]>
  /** Every change after revision `from`, in order, without gaps. Throws RevisionCompacted if they are gone. */
  watch(prefix: string, from: number, signal: AbortSignal): StorageWatch
  /** All known revisions of a key, newest first. */
  history(key: string): Revision[]
  /** The newest revision of a key, its deletion included; 0 if nothing is known of it. */
  newestOf(key: string): number
  revisionAt(revision: number): Revision | undefined
  /** Forgets superseded states older than `revision` of the keys under `prefix` (default: all). */
  compact(revision: number, prefix?: string): void
  close(): void
}

/** Somebody else has written the key first. `actual` is 0 if it does not exist. */
export class RevisionConflict extends Error {
  readonly key: string
  readonly actual: number

  constructor(key: string, expected: number, actual: number) {
    super(`${key} is at revision ${actual}, not ${expected}`)
    this.name = 'RevisionConflict'
    this.key = key
    this.actual = actual
  }
}

export class RevisionCompacted extends Error {
  readonly revision: number
  readonly oldest: number

  constructor(revision: number, oldest: number) {
    super(`revision ${revision} has been compacted; the oldest is ${oldest}`)
    this.name = 'RevisionCompacted'
    this.revision = revision
    this.oldest = oldest
  }
}

export class RevisionInFuture extends Error {
  readonly revision: number
  readonly current: number

  constructor(revision: number, current: number) {
    super(`revision ${revision} does not exist yet; the newest is ${current}`)
    this.name = 'RevisionInFuture'
    this.revision = revision
    this.current = current
  }
}

/** The watcher read too slowly and events had to be dropped; it must list and watch anew. */
export class SlowWatcher extends Error {
  constructor(waiting: number) {
    super(`the watcher left ${waiting} events unread`)
    this.name = 'SlowWatcher'
  }
}

/** The smallest string greater than every string that starts with `prefix`. */
export function prefixEnd(prefix: string): string {
  return prefix === '' ? '\uffff' : prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
