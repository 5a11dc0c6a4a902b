/**
 * Keys in order, in chunks of a few hundred: finding one is two binary searches, and inserting one moves the rest of a
 * chunk, not the rest of all. In one array of 100,000 keys an insertion took longer than everything else that a
 * write costs in memory.
 */

/** A chunk that has grown to this is cut in half. */
const chunkLimit = 512

interface Position {
  chunk: number
  index: number
}

export class SortedKeys {
  /** Only the very last one of all may be empty. */
  #chunks: string[][] = [[]]

  /** Takes the place of what was there. */
  load(keys: Iterable<string>): void {
    const sorted = [...keys].sort()
    this.#chunks = [[]]
    for (let at = 0; at < sorted.length; at += chunkLimit / 2) {
      this.#chunks[at / (chunkLimit / 2)] = sorted.slice(at, at + chunkLimit / 2)
    }
  }

  /** A key that is not there yet. */
  add(key: string): void {
    const { chunk, index } = this.#lowerBound(key)
    const keys = this.#chunks[chunk] ?? []
    keys.splice(index, 0, key)
    if (keys.length >= chunkLimit) this.#chunks.splice(chunk + 1, 0, keys.splice(chunkLimit / 2))
  }

  /** A key that is there. */
  delete(key: string): void {
    const { chunk, index } = this.#lowerBound(key)
    const keys = this.#chunks[chunk] ?? []
    keys.splice(index, 1)
    if (keys.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunk, 1)
  }

  /** The first `limit` keys from `start` up to and without `end`. */
  slice(start: string, end: string, limit: number): string[] {
    const from = this.#lowerBound(start)
    if (!this.#isBefore(from, end)) return []
    const to = this.#lowerBound(end)
    const found: string[] = []
    for (let { chunk, index } = from; chunk <= to.chunk && found.length < limit; chunk++, index = 0) {
      const part = this.#chunks[chunk]?.slice(index, chunk === to.chunk ? to.index : undefined) ?? []
      found.push(...part.slice(0, limit - found.length))
    }
    return found
  }

  /** How many keys there are from `start` up to and without `end`. */
  count(start: string, end: string): number {
    const from = this.#lowerBound(start)
    if (start >= end || !this.#isBefore(from, end)) return 0
    const to = this.#lowerBound(end)
    const between = this.#chunks.slice(from.chunk, to.chunk).reduce((sum, { length }) => sum + length, 0)
    return between + to.index - from.index
  }

  /** Whether there is a key here that is less than `end`: nobody has to look for the end of what is empty. */
  #isBefore({ chunk, index }: Position, end: string): boolean {
    const key = this.#chunks[chunk]?.[index]
    return key !== undefined && key < end
  }

  /** Where the first key is, or would be, that is not less than `key`. */
  #lowerBound(key: string): Position {
    // The last chunk that begins before the key, else the first.
    const chunk = Math.max(0, firstIndex(this.#chunks, ([first = '']) => first >= key) - 1)
    const keys = this.#chunks[chunk] ?? []
    const index = firstIndex(keys, (other) => other >= key)
    const isBehind = index === keys.length && chunk + 1 < this.#chunks.length
    return isBehind ? { chunk: chunk + 1, index: 0 } : { chunk, index }
  }
}

/** Of the first item of which `isSo` is true, where it is true of all that follow; the length if there is none. */
function firstIndex<T>(items: readonly T[], isSo: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(items[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}
