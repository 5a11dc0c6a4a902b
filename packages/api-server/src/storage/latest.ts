/**
 * The present: every live key with its newest entry, in key order, in memory.
 *
 * Reads of the current state (nearly all reads) never touch the database.
 */

import { SortedKeys } from './sorted-keys.ts'
import type { Entry } from './storage.ts'

export class Latest {
  readonly #entries = new Map<string, Entry>()
  readonly #keys = new SortedKeys()

  /** All entries at once, into an empty index: sorting beats inserting one by one. */
  load(entries: Iterable<Entry>): void {
    for (const entry of entries) this.#entries.set(entry.key, entry)
    this.#keys.load(this.#entries.keys())
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  set(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#keys.add(entry.key)
    this.#entries.set(entry.key, entry)
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#keys.delete(key)
  }

  /** Entries under `prefix` with a key after `after`: at most `limit` of them, and how many more there are. */
  list(prefix: string, after = '', limit = Infinity): { entries: Entry[]; remaining: number } {
    // '\u0000' is the smallest suffix: the first key that is greater than `after`.
    const start = after > prefix ? after + '\u0000' : prefix
    const end = prefix + '\uffff'
    const entries = this.#keys.slice(start, end, limit).flatMap((key) => this.#entries.get(key) ?? [])
    return { entries, remaining: limit === Infinity ? 0 : this.#keys.count(start, end) - entries.length }
  }

  count(prefix: string): number {
    return this.#keys.count(prefix, prefix + '\uffff')
  }
}
