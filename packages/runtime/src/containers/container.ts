/**
 * One container at run time: its record, its place on disk, its streams and those who wait for it.
 *
 * Every change of the record is written (atomically) before anybody is told, so a runtime that is killed and started
 * again finds the last state that it told. `exclusive` keeps start, stop and remove of one container apart.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ContainerSpec } from '../drivers/driver.ts'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import { Attachments } from './attachments.ts'
import { LogFile } from './log-file.ts'
import type { ContainerRecord, HostConfig, State } from './record.ts'
import { after, type Transition } from './state.ts'
import type { Stdio } from './stdio.ts'

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

export interface WaitResult {
  exitCode: number
  error?: string
}

export class Container {
  readonly dir: string
  readonly record: ContainerRecord
  readonly log: LogFile | undefined
  readonly attachments = new Attachments()
  /** While it runs. */
  stdio: Stdio | undefined
  /** What the driver was asked to start, while it runs. */
  spec: ContainerSpec | undefined
  /** Resolves when the end of the present run has been dealt with. */
  ended: Promise<void> | undefined
  /** It is being stopped to be started again at once, so its end removes nothing. */
  isRestarting = false
  /** Ids of the execs that were made in it. */
  readonly execIds = new Set<string>()
  /** Consecutive restarts wait longer and longer; see restart-policy.ts. */
  restartDelayMs = 0
  /** Ends the wait before a restart, and the health checks. */
  readonly background: { restart?: AbortController; health?: AbortController } = {}
  readonly #waiting: { condition: WaitCondition; resolve: (result: WaitResult) => void }[] = []
  #tail: Promise<unknown> = Promise.resolve()

  constructor(dir: string, record: ContainerRecord, clock: Clock) {
    this.dir = dir
    this.record = record
    this.log =
      record.hostConfig.LogConfig.Type === 'none'
        ? undefined
        : new LogFile(join(dir, `${record.id}-json.log`), clock, logOptions(record.hostConfig))
  }

  static load(dir: string, clock: Clock): Container | undefined {
    const names = ['config.json', 'removing.json']
    const file = names.map((name) => join(dir, name)).find((path) => existsSync(path))
    // Killed between mkdir and the first save: the container was never told of.
    if (file === undefined) return undefined
    const record = JSON.parse(readFileSync(file, 'utf8')) as ContainerRecord
    if (file.endsWith('removing.json')) record.state = after(record.state, 'removing')
    return new Container(dir, record, clock)
  }

  get id(): string {
    return this.record.id
  }
  get name(): string {
    return this.record.name
  }
  get state(): State {
    return this.record.state
  }
  get rootfsDir(): string {
    return join(this.dir, 'rootfs')
  }
  get rootfs(): Rootfs {
    const { imageLayers: layers, hostBase, hostConfig } = this.record
    return { layers, hostBase, dir: this.rootfsDir, isTemporary: hostConfig.AutoRemove }
  }
  /** What the container itself has written. */
  get writableDir(): string {
    return this.record.driver === 'process' ? this.rootfsDir : join(this.rootfsDir, 'upper')
  }
  get runDir(): string {
    return join(this.dir, 'run')
  }

  /** With `state` in place of the present one: what a new runtime is to read. */
  save(state = this.state): void {
    mkdirSync(this.dir, { recursive: true, mode: 0o711 })
    const file = join(this.dir, 'config.json')
    writeFileSync(`${file}.tmp`, JSON.stringify({ ...this.record, state }), { mode: 0o600 })
    renameSync(`${file}.tmp`, file)
  }

  /**
   * The beginning of its removal, which a new runtime would finish. The record gets another name, because writing one
   * over an old one has a price: the file system sends a file to the disk at once when it replaces another.
   */
  beginRemoval(): void {
    this.record.state = after(this.state, 'removing')
    const file = join(this.dir, 'config.json')
    if (existsSync(file)) renameSync(file, join(this.dir, 'removing.json'))
  }

  transition(transition: Transition, change: Partial<State> = {}): void {
    this.record.state = after(this.state, transition, change)
    this.save()
  }

  /** Runs one operation at a time; a failed one does not keep the next from running. */
  exclusive<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(operation, operation)
    // The caller hears of a failure; the next in line starts all the same.
    this.#tail = result.catch(() => undefined)
    return result
  }

  wait(condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    return new Promise((resolve, reject) => {
      if (condition === 'not-running' && !['running', 'paused', 'restarting'].includes(this.state.status)) {
        return resolve({ exitCode: this.state.exitCode })
      }
      this.#waiting.push({ condition, resolve })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  /** Wakes those who wait for the end of a run. */
  notifyExit(): void {
    const { exitCode, error } = this.state
    this.#settle((condition) => condition !== 'removed', { exitCode, ...(error !== '' ? { error } : {}) })
  }

  /** Without the error of a failed start: that one has been told to whoever started it. */
  notifyRemoved(): void {
    this.#settle(() => true, { exitCode: this.state.exitCode })
  }

  #settle(concerns: (condition: WaitCondition) => boolean, result: WaitResult): void {
    const woken = this.#waiting.filter(({ condition }) => concerns(condition))
    for (const waiter of woken) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter.resolve(result)
    }
  }
}

function logOptions({ LogConfig }: HostConfig): { maxSizeBytes: number; maxFiles: number } {
  const { 'max-size': size = '', 'max-file': files = '1' } = LogConfig.Config
  const match = /^(\d+)([kmg]?)b?$/i.exec(size)
  const unit = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2]?.toLowerCase() ?? ''] ?? 1
  return {
    maxSizeBytes: match === null ? Infinity : Number(match[1]) * unit,
    maxFiles: Math.max(1, Number(files) || 1),
  }
}
