/**
 * The present: every live key with its newest entry, in key order, in memory.
 *
 * Reads of the current state (nearly all reads) never touch the database. The sorted array is what makes a prefix scan
 * a binary search and a walk; inserting moves pointers only, a few microseconds even for 100,000 keys.
 */

import type { Entry } from './storage.ts'

export class Latest {
  #entries = new Map<string, Entry>()
  #keys: string[] = []

  /** All entries at once, into an empty index: sorting beats inserting one by one. */
  load(entries: Iterable<Entry>): void {
    for (const entry of entries) this.#entries.set(entry.key, entry)
    this.#keys = [...this.#entries.keys()].sort()
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  set(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#keys.splice(this.#lowerBound(entry.key), 0, entry.key)
    this.#entries.set(entry.key, entry)
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#keys.splice(this.#lowerBound(key), 1)
  }

  /** Entries under `prefix` with a key after `after`: at most `limit` of them, and how many more there are. */
  list(prefix: string, after = '', limit = Infinity): { entries: Entry[]; remaining: number } {
    const { start, end } = this.#range(prefix, after)
    const stop = Math.min(end, start + limit)
    const entries = this.#keys.slice(start, stop).flatMap((key) => this.#entries.get(key) ?? [])
    return { entries, remaining: end - stop }
  }

  count(prefix: string): number {
    const { start, end } = this.#range(prefix, '')
    return end - start
  }

  #range(prefix: string, after: string): { start: number; end: number } {
    // '\u0000' is the smallest suffix: the first key that is greater than `after`.
    const start = this.#lowerBound(after > prefix ? after + '\u0000' : prefix)
    return { start, end: Math.max(start, this.#lowerBound(prefix + '\uffff')) }
  }

  /** The index of the first key that is not less than `key`. */
  #lowerBound(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const found = this.#keys[middle]
      if (found !== undefined && found < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
