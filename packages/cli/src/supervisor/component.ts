/**
 * One supervised component: started, watched, started again when it dies or hangs, stopped when asked.
 *
 * Callers may rely on: at most one process per Component is alive; a death that nobody asked for is followed by a
 * restart, at once the first time and then with a growing pause; a process that listens and does not answer is not
 * ready, and after a while it is killed, since only a restart helps it; `stop` returns when the process is gone.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { ComponentSpec } from './components.ts'
import { type AskHealth, askHealth, type HasBecomeReady, hasBecomeReady, type Health } from './health.ts'
import { type RunningProcess, type StartProcess, startProcess } from './process.ts'

export interface ComponentStatus {
  name: string
  pid: number | undefined
  ready: boolean
  restarts: number
  /** True while somebody wants it down: `dinghy node stop`. */
  stopped: boolean
  /** It listens and does not answer. */
  silent: boolean
  /** It has been ready since somebody wanted it up, though perhaps not now. */
  settled: boolean
}

/** `stays`: not even SIGKILL ended it, for it waits in the kernel. */
export type Ending = 'stopped' | 'killed' | 'stays'

export interface ComponentDeps {
  clock: Clock
  paths: { log: string; runFile: string }
  onChange?: (() => void) | undefined
  startProcess?: StartProcess | undefined
  askHealth?: AskHealth | undefined
  hasBecomeReady?: HasBecomeReady | undefined
}

const firstPauseMs = 100
const longestPauseMs = 5_000
const settledAfterMs = 10_000
const killAfterMs = 5_000
/** A new process says by itself that it is ready. How often that is looked for, should nobody tell us to look. */
const lookEveryMs = 100
/** After so long it is asked, and is asked so often. */
const checkEveryMs = 5_000
/**
 * A process that says nothing for so long, so many times in a row, hangs: under any load that this machine survives.
 */
const answerWithinMs = 5_000
const mostSilences = 3
const askAgainMs = 500
/** One that has not even said by then where it listens hangs, too. */
const publishWithinMs = 120_000
/** For those who ask: `dinghy status` should not take long because one component does. */
const answerSoonMs = 1_000

export class Component {
  readonly spec: ComponentSpec
  readonly #paths: { log: string; runFile: string }
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #startProcess: StartProcess
  readonly #askHealth: AskHealth
  readonly #hasBecomeReady: HasBecomeReady
  #process: RunningProcess | undefined
  #wanted = false
  #health: Health = 'starting'
  #settled = false
  #restarts = 0
  #pauseMs = 0
  #loop: Promise<void> = Promise.resolve()
  #wake = new AbortController()
  #look = new AbortController()
  /** Aborted when #health becomes another. */
  #changed = new AbortController()

  constructor(spec: ComponentSpec, deps: ComponentDeps) {
    this.spec = spec
    this.#paths = deps.paths
    this.#clock = deps.clock
    this.#onChange = deps.onChange ?? (() => undefined)
    this.#startProcess = deps.startProcess ?? startProcess
    this.#askHealth = deps.askHealth ?? askHealth
    this.#hasBecomeReady = deps.hasBecomeReady ?? hasBecomeReady
  }

  status(): ComponentStatus {
    return {
      name: this.spec.name,
      pid: this.#process?.pid,
      ready: this.#health === 'ready',
      restarts: this.#restarts,
      stopped: !this.#wanted,
      silent: this.#health === 'silent',
      settled: this.#settled,
    }
  }

  start(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#settled = false
    this.#wake = new AbortController()
    this.#pauseMs = 0
    const previous = this.#loop
    this.#loop = previous.then(() => this.#keepRunning())
  }

  /** Its run file has been written. */
  published(): void {
    this.#look.abort()
  }

  /** Asks the process again: one that hangs must not be called ready because it once was. */
  async refresh(withinMs = answerSoonMs): Promise<void> {
    const process = this.#process
    if (!process) return
    const health = await this.#askHealth(this.#paths.runFile, process.pid, withinMs)
    if (this.#process === process) this.#become(health)
  }

  /** Waits until the process is ready, and cuts short the pause before a restart. False: it is not, after `ms`. */
  async readyWithin(ms: number): Promise<boolean> {
    const giveUpAt = this.#clock.now() + ms
    this.#wake.abort()
    this.#wake = new AbortController()
    while (this.#health !== 'ready' && this.#wanted && this.#clock.now() < giveUpAt) {
      const changed = AbortSignal.any([this.#wake.signal, this.#changed.signal])
      await this.#clock.sleep(giveUpAt - this.#clock.now(), changed).catch(ignoreAbort)
    }
    return this.#health === 'ready'
  }

  /** Kills the process, which hangs; the restart follows at once. */
  async replace(): Promise<void> {
    const process = this.#process
    this.#pauseMs = 0
    process?.kill('SIGKILL')
    await process?.exited
  }

  /** Stops the process: politely, or (a node that loses power) with SIGKILL. Says how it ended; always returns. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Ending> {
    this.#wanted = false
    this.#wake.abort()
    const process = this.#process
    process?.kill(signal)
    if (await this.#goneWithin(killAfterMs)) return 'stopped'
    process?.kill('SIGKILL')
    return (await this.#goneWithin(killAfterMs)) ? 'killed' : 'stays'
  }

  async #goneWithin(ms: number): Promise<boolean> {
    const waiting = new AbortController()
    const gone = this.#loop.then(() => true)
    const late = this.#clock.sleep(ms, waiting.signal).then(
      () => false,
      () => false,
    )
    return Promise.race([gone, late]).finally(() => waiting.abort())
  }

  async #keepRunning(): Promise<void> {
    while (this.#wanted) {
      const startedAt = this.#clock.now()
      await this.#runOnce()
      if (!this.#wanted) return
      this.#restarts++
      if (this.#clock.now() - startedAt > settledAfterMs) this.#pauseMs = 0
      await this.#clock.sleep(this.#pauseMs, this.#wake.signal).catch(ignoreAbort)
      this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, firstPauseMs), longestPauseMs)
    }
  }

  async #runOnce(): Promise<void> {
    const process = this.#startProcess(this.spec, this.#paths)
    this.#process = process
    this.#onChange()
    const gone = new AbortController()
    const watching = this.#watch(process, gone.signal)
    await process.exited.finally(() => gone.abort())
    await watching
    this.#process = undefined
    this.#health = 'starting'
    this.#onChange()
  }

  async #watch(process: RunningProcess, signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.now()
    let silences = 0
    await this.#untilItSaysReady(process, startedAt + checkEveryMs, signal)
    while (!signal.aborted) {
      const health = await this.#askHealth(this.#paths.runFile, process.pid, answerWithinMs)
      if (signal.aborted) return
      this.#become(health)
      silences = health === 'silent' ? silences + 1 : 0
      const isStuck = health === 'starting' && this.#clock.now() - startedAt > publishWithinMs
      if (isStuck || silences >= mostSilences) return process.kill('SIGKILL')
      await this.#clock.sleep(health === 'ready' ? checkEveryMs : askAgainMs, signal).catch(ignoreAbort)
    }
  }

  /** Asking would cost both sides time while a cluster starts. Gives up at `giveUpAt`. */
  async #untilItSaysReady(process: RunningProcess, giveUpAt: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#clock.now() < giveUpAt) {
      this.#look = new AbortController()
      if (this.#hasBecomeReady(this.#paths.runFile, process.pid)) {
        this.#become('ready')
        return this.#clock.sleep(checkEveryMs, signal).catch(ignoreAbort)
      }
      await this.#clock.sleep(lookEveryMs, AbortSignal.any([signal, this.#look.signal])).catch(ignoreAbort)
    }
  }

  #become(health: Health): void {
    if (health === 'ready') this.#settled = true
    if (health === this.#health) return
    this.#health = health
    this.#changed.abort()
    this.#changed = new AbortController()
    this.#onChange()
  }
}

function ignoreAbort(error: Error): void {
  if (error.name !== 'AbortError') throw error
}
