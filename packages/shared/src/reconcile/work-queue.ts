/**
 * WorkQueue: the keys that await reconciling.
 *
 *   add ──────────────────────────► queued ── take ──► processing ── done ──► (gone)
 *   addAfter ──► delayed ── due ──────▲                    │ added meanwhile
 *                                     └────────────────────┘
 *
 * Callers may rely on: a key is queued at most once, and never handed to two workers at the same time; a key that is
 * added while it is being worked on is queued again when that work is done, so no change goes unseen; the cause handed
 * out with a key is the newest revision that asked for it. Follows client-go util/workqueue, plus the gate (gate.ts).
 */

import type { Clock, Timer } from '../api/clock.ts'
import type { Gate, QueuedKey, QueueSnapshot } from './gate.ts'
import { ExponentialRateLimiter } from './rate-limiter.ts'

type Cause = string | undefined

interface Delayed {
  timer: Timer
  dueMs: number
  cause: Cause
}

export class WorkQueue implements Gate {
  readonly #clock: Clock
  readonly #limiter: ExponentialRateLimiter
  /** Maps keep insertion order: the first entry is the next to be handed out. */
  readonly #queued = new Map<string, Cause>()
  readonly #processing = new Map<string, Cause>()
  /** Added while being processed. */
  readonly #again = new Map<string, Cause>()
  readonly #delayed = new Map<string, Delayed>()
  readonly #takers: (() => void)[] = []
  readonly #totals = { adds: 0, retries: 0, done: 0 }
  #paused = false
  /** Keys that step() has let through the closed gate. */
  #steps = 0
  #closed = false

  constructor({ clock, limiter = new ExponentialRateLimiter() }: { clock: Clock; limiter?: ExponentialRateLimiter }) {
    this.#clock = clock
    this.#limiter = limiter
  }

  /** Keys that are ready, not counting delayed ones and those being worked on. */
  get length(): number {
    return this.#queued.size
  }

  add(key: string, cause?: string): void {
    if (this.#closed) return
    const waiting = this.#processing.has(key) ? this.#again : this.#queued
    if (!waiting.has(key)) this.#totals.adds += 1
    waiting.set(key, newest(waiting.get(key), cause))
    this.#wake()
  }

  /** A key that is delayed already comes at the earlier of the two moments. */
  addAfter(key: string, delayMs: number, cause?: string): void {
    if (this.#closed) return
    if (delayMs <= 0) return this.add(key, cause)
    const dueMs = this.#clock.now() + delayMs
    const present = this.#delayed.get(key)
    const newestCause = newest(present?.cause, cause)
    if (present && present.dueMs <= dueMs) {
      present.cause = newestCause
      return
    }
    if (present) this.#clock.clear(present.timer)
    const timer = this.#clock.setTimeout(() => this.#due(key), delayMs)
    this.#delayed.set(key, { timer, dueMs, cause: newestCause })
  }

  /** After a failure: waits longer each time, until forget(). */
  addRateLimited(key: string, cause?: string): void {
    this.#totals.retries += 1
    this.addAfter(key, this.#limiter.when(key), cause)
  }

  /** After a success: the next failure waits a short time again. */
  forget(key: string): void {
    this.#limiter.forget(key)
  }

  failures(key: string): number {
    return this.#limiter.failures(key)
  }

  /** The next key, or undefined when the signal aborts or the queue is shut down. The taker must call done(key). */
  async take(signal: AbortSignal): Promise<QueuedKey | undefined> {
    while (!signal.aborted) {
      const next = this.#next()
      if (next) return next
      if (this.#closed) return undefined
      await this.#changed(signal)
    }
    // This taker may have been woken for a key that it will not take now: pass the word on.
    this.#wake()
    return undefined
  }

  done(key: string): void {
    this.#processing.delete(key)
    this.#totals.done += 1
    if (!this.#again.has(key)) return
    const cause = this.#again.get(key)
    this.#again.delete(key)
    if (this.#closed) return
    this.#queued.set(key, newest(this.#queued.get(key), cause))
    this.#wake()
  }

  /** No key is accepted any more, delayed ones are dropped; what is queued may still be taken. */
  shutDown(): void {
    this.#closed = true
    for (const { timer } of this.#delayed.values()) this.#clock.clear(timer)
    this.#delayed.clear()
    this.#wakeAll()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#steps = 0
    this.#wakeAll()
  }

  step(): string | undefined {
    const key = [...this.#queued.keys()][this.#steps]
    if (!this.#paused || key === undefined) return undefined
    this.#steps += 1
    this.#wake()
    return key
  }

  snapshot(): QueueSnapshot {
    const now = this.#clock.now()
    return {
      paused: this.#paused,
      queued: listed(this.#queued),
      processing: listed(this.#processing),
      delayed: [...this.#delayed].map(([key, { cause, dueMs }]) => ({ key, cause, dueInMs: dueMs - now })),
      totals: { ...this.#totals },
    }
  }

  #next(): QueuedKey | undefined {
    if (this.#paused && this.#steps === 0) return undefined
    for (const [key, cause] of this.#queued) {
      if (this.#paused) this.#steps -= 1
      this.#queued.delete(key)
      this.#processing.set(key, cause)
      return { key, cause }
    }
    return undefined
  }

  #due(key: string): void {
    const delayed = this.#delayed.get(key)
    if (!delayed) return
    this.#delayed.delete(key)
    this.add(key, delayed.cause)
  }

  /** Resolves at the next #wake, or when the signal aborts. */
  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = (): void => {
        this.#takers.splice(this.#takers.indexOf(wake), 1)
        resolve()
      }
      this.#takers.push(wake)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  #wake(): void {
    this.#takers.shift()?.()
  }

  #wakeAll(): void {
    for (const wake of this.#takers.splice(0)) wake()
  }
}

/** Revisions grow: the larger is the newer. An add without a cause (a timer) does not hide one that has a cause. */
function newest(a: Cause, b: Cause): Cause {
  if (a === undefined || b === undefined) return a ?? b
  return Number(b) >= Number(a) ? b : a
}

function listed(keys: Map<string, Cause>): QueuedKey[] {
  return [...keys].map(([key, cause]) => ({ key, cause }))
}
