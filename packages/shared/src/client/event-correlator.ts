/**
 * EventCorrelator: what to do with one more event. Pure but for its memory; time comes from the clock.
 *
 *   1. an object that a component talks about too much is cut off for a while        (25 at once, then one in 5
 *      minutes)
 *   2. ten different messages for one reason within ten minutes become one           ("(combined from similar events):
 *      …")
 *   3. an event that was seen before is counted up instead of being written again    (count, lastTimestamp)
 *
 * The numbers are those of client-go tools/record/events_cache.go.
 */

import type { Clock } from '../api/clock.ts'

export interface EventFacts {
  source: { component: string; host?: string }
  involvedObject: {
    kind: string
    apiVersion: string
    namespace?: string
    name: string
    uid: string
    resourceVersion: string
    fieldPath?: string
  }
  type: string
  reason: string
  message: string
}

export interface Decision {
  count: number
  message: string
  /** The event that must be counted up; undefined: a new one must be written, and reported by written(key, name). */
  name: string | undefined
  key: string
}

const burst = 25
const refillMs = 300_000
const mostSimilar = 10
const similarWithinMs = 600_000
/** Keys remembered by each of the three memories; the least recently used is forgotten. */
const memory = 4_096

interface Seen {
  name: string | undefined
  count: number
}

export class EventCorrelator {
  readonly #clock: Clock
  readonly #allowances = new Recent<{ tokens: number; atMs: number }>()
  readonly #similar = new Recent<{ messages: Set<string>; atMs: number }>()
  readonly #seen = new Recent<Seen>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined: let this one go. */
  correlate(facts: EventFacts): Decision | undefined {
    if (!this.#isAllowed(facts)) return undefined
    const { message, key } = this.#aggregate(facts)
    const seen = this.#seen.get(key)
    const count = (seen?.count ?? 0) + 1
    this.#seen.set(key, { name: seen?.name, count })
    return { key, message, count, name: seen?.name }
  }

  /** A new event for this key exists under this name: repeats are counted there. */
  written(key: string, name: string): void {
    const seen = this.#seen.get(key)
    if (seen) this.#seen.set(key, { ...seen, name })
  }

  #isAllowed({ source, involvedObject: { kind, namespace, name, uid, apiVersion } }: EventFacts): boolean {
    const key = JSON.stringify([source, kind, namespace, name, uid, apiVersion])
    const atMs = this.#clock.now()
    const before = this.#allowances.get(key) ?? { tokens: burst, atMs }
    const tokens = Math.min(burst, before.tokens + (atMs - before.atMs) / refillMs)
    const isAllowed = tokens >= 1
    this.#allowances.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs })
    return isAllowed
  }

  #aggregate(facts: EventFacts): { message: string; key: string } {
    const key = similarKey(facts)
    const atMs = this.#clock.now()
    let similar = this.#similar.get(key)
    if (!similar || atMs - similar.atMs > similarWithinMs) similar = { messages: new Set(), atMs }
    similar.messages.add(facts.message)
    similar.atMs = atMs
    this.#similar.set(key, similar)
    if (similar.messages.size < mostSimilar) return { message: facts.message, key: exactKey(facts) }
    // One message too many is let go, so that the memory of messages does not grow with them.
    const [oldest] = similar.messages
    if (oldest !== undefined && similar.messages.size > mostSimilar) similar.messages.delete(oldest)
    return { message: `(combined from similar events): ${facts.message}`, key }
  }
}

function similarKey({ source, involvedObject, type, reason }: EventFacts): string {
  const { kind, namespace, name, uid, apiVersion } = involvedObject
  return JSON.stringify([source, kind, namespace, name, uid, apiVersion, type, reason])
}

function exactKey(facts: EventFacts): string {
  return JSON.stringify([similarKey(facts), facts.involvedObject.fieldPath, facts.message])
}

/** A map that forgets what has not been used for longest. */
class Recent<V> {
  readonly #entries = new Map<string, V>()

  get(key: string): V | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > memory && oldest !== undefined) this.#entries.delete(oldest)
  }
}
