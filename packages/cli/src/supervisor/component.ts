/**
 * One supervised process: started, watched, started again when it dies, stopped when asked.
 *
 * Callers may rely on: at most one process per Component is alive; a death that nobody asked for is followed by a
 * restart, at once the first time and then with a growing pause; `stop` returns when the process is gone.
 * The child's stdin is a pipe that only this process holds: should the supervisor be killed, the child reads
 * end-of-file and stops by itself, so no component outlives its supervisor. Containers do: they are nobody's child here.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import type { Clock } from '@dinghy/shared/api/clock'
import { send } from './http.ts'
import type { ComponentSpec } from './components.ts'

export interface ComponentStatus {
  name: string
  pid: number | undefined
  ready: boolean
  restarts: number
  /** True while somebody wants it down: `dinghy node stop`. */
  stopped: boolean
}

const firstPauseMs = 100
const longestPauseMs = 5_000
const settledAfterMs = 10_000
const killAfterMs = 5_000
const readyPollMs = 40
const answerWithinMs = 1_000

export class Component {
  readonly spec: ComponentSpec
  readonly #paths: { log: string; runFile: string }
  readonly #clock: Clock
  readonly #onChange: () => void
  #child: ChildProcess | undefined
  #wanted = false
  #ready = false
  #restarts = 0
  #pauseMs = 0
  #loop: Promise<void> = Promise.resolve()
  #wake = new AbortController()

  constructor(spec: ComponentSpec, paths: { log: string; runFile: string }, clock: Clock, onChange: () => void) {
    this.spec = spec
    this.#paths = paths
    this.#clock = clock
    this.#onChange = onChange
  }

  status(): ComponentStatus {
    const { pid } = this.#child ?? {}
    return { name: this.spec.name, pid, ready: this.#ready, restarts: this.#restarts, stopped: !this.#wanted }
  }

  start(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#wake = new AbortController()
    this.#pauseMs = 0
    const previous = this.#loop
    this.#loop = previous.then(() => this.#keepRunning())
  }

  /** Asks the process again: one that hangs must not be called ready because it once was. */
  async refresh(): Promise<void> {
    const child = this.#child
    const debug = child && readRunFile(this.#paths.runFile, child.pid)
    if (!debug) return
    const ready = await isReady(debug)
    if (this.#child === child) this.#ready = ready
  }

  /** Waits until the process is ready, and cuts short the pause before a restart. False: it is not, after `ms`. */
  async readyWithin(ms: number): Promise<boolean> {
    const giveUpAt = this.#clock.now() + ms
    this.#wake.abort()
    this.#wake = new AbortController()
    while (!this.#ready && this.#wanted && this.#clock.now() < giveUpAt)
      await this.#clock.sleep(readyPollMs, this.#wake.signal).catch(ignoreAbort)
    return this.#ready
  }

  /** Stops the process: politely, or (a node that loses power) with SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#wanted = false
    this.#wake.abort()
    const child = this.#child
    if (child) {
      child.kill(signal)
      const killer = this.#clock.setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      await this.#loop
      this.#clock.clear(killer)
    }
    await this.#loop
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
    rmSync(this.#paths.runFile, { force: true })
    const log = openSync(this.#paths.log, 'a', 0o600)
    // Not a process group of its own would mean that Ctrl-C in the terminal hits every component at once, before the
    // supervisor can stop them in order.
    const [program = '', ...args] = [...(this.spec.launcher ?? []), process.execPath, ...this.spec.args]
    const child = spawn(program, args, { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    child.stdin?.on('error', ignoreBrokenPipe)
    this.#child = child
    this.#onChange()
    const exited = once(child, 'exit')
    const gone = new AbortController()
    const watching = this.#watchReady(child, gone.signal)
    await exited.finally(() => gone.abort())
    await watching
    this.#child = undefined
    this.#ready = false
    this.#onChange()
  }

  // The component says where it listens in its run file, once it does.
  async #watchReady(child: ChildProcess, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const debug = readRunFile(this.#paths.runFile, child.pid)
      if (debug && (await isReady(debug))) {
        this.#ready = true
        this.#onChange()
        return
      }
      await this.#clock.sleep(readyPollMs, signal).catch(ignoreAbort)
    }
  }
}

/** The address of a component's health and debug endpoints, if the process `pid` has published it. */
export function readRunFile(path: string, pid: number | undefined): string | undefined {
  try {
    const run = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; debug: string }
    return pid === undefined || run.pid === pid ? run.debug : undefined
  } catch (error) {
    // Not written yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function isReady(debugUrl: string): Promise<boolean> {
  const { status } = await send({ method: 'GET', url: `${debugUrl}/readyz`, timeoutMs: answerWithinMs })
  return status === 200
}

// A child that dies between our deciding to write and its reading leaves EPIPE behind; its exit is handled anyway.
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error
}

function ignoreAbort(error: Error): void {
  if (error.name !== 'AbortError') throw error
}
