/**
 * A container's log: Docker's json-file format, one JSON object per line, rotated by size.
 *
 * A line is on disk before write() returns, so nothing that was read from the container is lost with the runtime.
 * Readers in this process see every line exactly once: those on disk when they subscribe, then those that are written.
 */
import { EventEmitter } from 'node:events'
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { formatNanos } from './timestamps.ts'

export type StreamName = 'stdout' | 'stderr'

export interface LogEntry {
  log: string
  stream: StreamName
  /** RFC 3339 with nanoseconds. */
  time: string
}

export interface LogOptions {
  maxSizeBytes: number
  maxFiles: number
}

/** Longer lines are cut into several entries; only the last of them ends in a newline. */
const MAX_ENTRY_BYTES = 16 * 1024

export class LogFile {
  readonly path: string
  readonly #clock: Clock
  readonly #options: LogOptions
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #partial = new Map<StreamName, Buffer>()
  #fd: number | undefined
  #size = 0
  #lastNanos = 0n

  constructor(path: string, clock: Clock, options: LogOptions = { maxSizeBytes: Infinity, maxFiles: 1 }) {
    this.path = path
    this.#clock = clock
    this.#options = options
  }

  /** Appends output as it comes; what is after the last newline waits for the rest of its line. */
  write(stream: StreamName, chunk: Buffer): void {
    let rest = Buffer.concat([this.#partial.get(stream) ?? Buffer.alloc(0), chunk])
    const entries: LogEntry[] = []
    while (rest.length > 0) {
      const newline = rest.subarray(0, MAX_ENTRY_BYTES).indexOf(0x0a)
      const end = newline >= 0 ? newline + 1 : rest.length >= MAX_ENTRY_BYTES ? MAX_ENTRY_BYTES : 0
      if (end === 0) break
      entries.push(this.#entry(stream, rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
    this.#partial.set(stream, Buffer.from(rest))
    this.#append(entries)
  }

  /** Writes unfinished lines; the stream has ended. */
  flush(): void {
    for (const [stream, rest] of this.#partial) {
      if (rest.length > 0) this.#append([this.#entry(stream, rest)])
    }
    this.#partial.clear()
  }

  /** The run has ended: followers have seen everything. */
  endRun(): void {
    this.close()
    this.#emitter.emit('end')
  }

  close(): void {
    this.flush()
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Calls back for every entry written from now on, until the signal aborts; `onEnd` when the container has ended. */
  follow(onEntry: (entry: LogEntry) => void, onEnd: () => void, signal: AbortSignal): void {
    this.#emitter.on('entry', onEntry)
    this.#emitter.on('end', onEnd)
    signal.addEventListener(
      'abort',
      () => {
        this.#emitter.off('entry', onEntry)
        this.#emitter.off('end', onEnd)
      },
      { once: true },
    )
  }

  /** The files that make up the log, oldest first. */
  files(): string[] {
    const rotated = Array.from({ length: this.#options.maxFiles - 1 }, (_, index) => `${this.path}.${index + 1}`)
    return [...rotated.reverse(), this.path].filter((path) => existsSync(path))
  }

  remove(): void {
    for (const path of this.files()) rmSync(path, { force: true })
  }

  #entry(stream: StreamName, bytes: Buffer): LogEntry {
    const now = BigInt(Math.round(this.#clock.now() * 1000)) * 1000n
    // Never the same twice: `--since` with the last line's time must not show other lines of that millisecond again.
    this.#lastNanos = now > this.#lastNanos ? now : this.#lastNanos + 1n
    return { log: bytes.toString('utf8'), stream, time: formatNanos(this.#lastNanos) }
  }

  #append(entries: LogEntry[]): void {
    if (entries.length === 0) return
    this.#fd ??= this.#open()
    const text = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    if (this.#size > 0 && this.#size + text.length > this.#options.maxSizeBytes) this.#rotate()
    for (let rest = text; rest.length > 0;) rest = rest.subarray(writeSync(this.#fd, rest))
    this.#size += text.length
    for (const entry of entries) this.#emitter.emit('entry', entry)
  }

  #open(): number {
    const fd = openSync(this.path, 'a+', 0o640)
    this.#size = fstatSync(fd).size
    // A runtime that was killed in the middle of a write left half a line: end it, readers skip what they cannot parse.
    if (this.#size > 0) {
      const last = Buffer.alloc(1)
      readSync(fd, last, 0, 1, this.#size - 1)
      if (last[0] !== 0x0a) this.#size += writeSync(fd, '\n')
    }
    return fd
  }

  #rotate(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    const { maxFiles } = this.#options
    for (let index = maxFiles - 1; index >= 1; index--) {
      const from = index === 1 ? this.path : `${this.path}.${index - 1}`
      if (existsSync(from)) renameSync(from, `${this.path}.${index}`)
    }
    if (maxFiles === 1) rmSync(this.path, { force: true })
    this.#fd = this.#open()
  }
}
