/**
 * Time, as something that is passed in. No component reads Date.now() or sets a timer of its own, so tests turn
 * FakeClock by hand and a minute of backoff takes no time at all.
 *
 * `sleep` rejects with the signal's reason when it is aborted, like node:timers/promises; runMain() knows that an
 * abort which it ordered itself is not a failure.
 */

/** What setTimeout returned; only its own clock can read it. */
export type Timer = object

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  setTimeout(fn: () => void, ms: number): Timer
  clear(timer: Timer | undefined): void
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A timer of node's that is longer than this (25 days) fires at once. */
const longestTimerMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => new SystemTimer(fn, ms),
  clear: (timer) => {
    if (timer instanceof SystemTimer) timer.clear()
  },
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
}

/** A long time is waited for in pieces. */
class SystemTimer {
  #piece: NodeJS.Timeout | undefined

  constructor(fn: () => void, ms: number) {
    this.#wait(fn, ms)
  }

  clear(): void {
    clearTimeout(this.#piece)
  }

  #wait(fn: () => void, ms: number): void {
    const pieceMs = Math.min(ms, longestTimerMs)
    this.#piece = setTimeout(() => (ms > pieceMs ? this.#wait(fn, ms - pieceMs) : fn()), pieceMs)
  }
}

interface FakeTimer {
  at: number
  order: number
  fn: () => void
}

/** A clock that moves only when told to. */
export class FakeClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<FakeTimer>()

  constructor(now: number | string = '2025-01-01T00:00:00Z') {
    this.#now = typeof now === 'number' ? now : Date.parse(now)
  }

  now(): number {
    return this.#now
  }

  setTimeout(fn: () => void, ms: number): Timer {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#timers.add(timer)
    return timer
  }

  clear(timer: Timer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer as FakeTimer)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal)
  }

  /** How many timers are waiting; a test can tell that a component has gone to sleep. */
  get pending(): number {
    return this.#timers.size
  }

  /**
   * Moves time forward, firing due timers in order. After each one the promises it woke get to run, so a chain
   * of sleeps inside the interval all happens.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.at)
      this.#timers.delete(timer)
      timer.fn()
      await settle()
    }
    this.#now = end
  }

  #next(end: number): FakeTimer | undefined {
    let first: FakeTimer | undefined
    for (const timer of this.#timers) {
      if (timer.at > end) continue
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer
    }
    return first
  }
}

function sleepOn(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const wake = () => {
      clock.clear(timer)
      reject(signal?.reason)
    }
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', wake)
      resolve()
    }, ms)
    signal?.addEventListener('abort', wake, { once: true })
  })
}

/** Lets everything that is ready run: setImmediate comes after all microtasks and one round of I/O callbacks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
