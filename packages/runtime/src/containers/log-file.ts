/**
 * A container's log: the file that its output is appended to, rotated by size. The bytes are log-format.ts'.
 *
 * A line is on disk before write() returns, so of what was read from the container nothing is lost with the runtime but
 * the chunk that it holds at the very moment in which it is killed. A chunk of output is one append, and wakes those
 * who follow once.
 */
import { EventEmitter } from 'node:events'
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import type { LogFiles, Position } from './log-cursor.ts'
import { encodeEntries, readyLength, toUtf8, type StreamName } from './log-format.ts'

export interface LogOptions {
  maxSizeBytes: number
  maxFiles: number
}

/** What one append has added: `lines` is the output itself, `from` and `to` where its `count` entries are. */
export interface Appended {
  stream: StreamName
  lines: Buffer
  count: number
  from: Position
  to: Position
}

export class LogFile implements LogFiles {
  readonly path: string
  readonly #clock: Clock
  readonly #options: LogOptions
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #partial = new Map<StreamName, Buffer>()
  #fd: number | undefined
  #loss: Error | undefined
  #size = 0
  /** Number of the file that is written to; see log-cursor.ts. */
  #current = 0
  #lastNanos = 0n

  constructor(path: string, clock: Clock, options: LogOptions = { maxSizeBytes: Infinity, maxFiles: 1 }) {
    this.path = path
    this.#clock = clock
    this.#options = options
  }

  /** Appends output as it comes; what is after the last newline waits for the rest of its line. */
  write(stream: StreamName, chunk: Buffer): void {
    const before = this.#partial.get(stream)
    const bytes = before === undefined || before.length === 0 ? chunk : Buffer.concat([before, chunk])
    const ready = readyLength(bytes)
    this.#partial.set(stream, Buffer.from(bytes.subarray(ready)))
    this.#append(stream, bytes.subarray(0, ready))
  }

  /** What has come after the last newline: it is in no file yet. */
  get unfinished(): ReadonlyMap<StreamName, Buffer> {
    return this.#partial
  }

  /** Writes unfinished lines; the stream has ended. */
  flush(): void {
    for (const [stream, rest] of this.#partial) this.#append(stream, rest)
    this.#partial.clear()
  }

  /** The run has ended: followers have seen everything. */
  endRun(): void {
    this.close()
    this.#loss = undefined
    this.#emitter.emit('end')
  }

  close(): void {
    this.flush()
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Calls back for every append from now on, until the signal aborts; `onEnd` when the container has ended. */
  follow(onAppend: (appended: Appended) => void, onEnd: () => void, signal: AbortSignal): void {
    this.#emitter.on('append', onAppend)
    this.#emitter.on('end', onEnd)
    signal.addEventListener(
      'abort',
      () => {
        this.#emitter.off('append', onAppend)
        this.#emitter.off('end', onEnd)
      },
      { once: true },
    )
  }

  /** Where the next entry will be. */
  get end(): Position {
    const size = this.#fd === undefined ? statSync(this.path, { throwIfNoEntry: false })?.size : this.#size
    return { file: this.#current, offset: size ?? 0 }
  }

  numbers(): number[] {
    const all = Array.from({ length: this.#options.maxFiles }, (_, index) => this.#current - index)
    return all.toReversed().filter((number) => existsSync(this.pathOf(number)))
  }

  pathOf(number: number): string {
    return number === this.#current ? this.path : `${this.path}.${this.#current - number}`
  }

  remove(): void {
    for (const number of this.numbers()) rmSync(this.pathOf(number), { force: true })
  }

  /** Why output of this run is not in the file, if some is not: the disk was full, say. */
  get loss(): Error | undefined {
    return this.#loss
  }

  /** As with Docker, output that cannot be kept is lost; the container and whoever is attached never notice. */
  #append(stream: StreamName, bytes: Buffer): void {
    try {
      this.#appendLines(stream, bytes)
    } catch (error) {
      this.#loss = error as Error
      // Half a line may have been written: opening the file again ends it.
      if (this.#fd !== undefined) closeSync(this.#fd)
      this.#fd = undefined
    }
  }

  #appendLines(stream: StreamName, bytes: Buffer): void {
    if (bytes.length === 0) return
    const lines = toUtf8(bytes)
    const { encoded, count } = encodeEntries(lines, stream, this.#nextNanos())
    let fd = (this.#fd ??= this.#open())
    if (this.#size + encoded.length > this.#options.maxSizeBytes) {
      const middle = middleOf(lines)
      if (count > 1 && middle > 0) {
        this.#appendLines(stream, lines.subarray(0, middle))
        this.#appendLines(stream, lines.subarray(middle))
        return
      }
      if (this.#size > 0) fd = this.#rotate(fd)
    }
    this.#lastNanos += BigInt(count - 1)
    const from = { file: this.#current, offset: this.#size }
    for (let rest = encoded; rest.length > 0;) rest = rest.subarray(writeSync(fd, rest))
    this.#size += encoded.length
    const appended: Appended = { stream, lines, count, from, to: { file: this.#current, offset: this.#size } }
    this.#emitter.emit('append', appended)
  }

  /** Never the same twice: `--since` with the last line's time must not show other lines of that millisecond again. */
  #nextNanos(): bigint {
    const now = BigInt(Math.round(this.#clock.now() * 1000)) * 1000n
    this.#lastNanos = now > this.#lastNanos ? now : this.#lastNanos + 1n
    return this.#lastNanos
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

  #rotate(fd: number): number {
    closeSync(fd)
    this.#fd = undefined
    const { maxFiles } = this.#options
    for (let index = maxFiles - 1; index >= 1; index--) {
      const from = index === 1 ? this.path : `${this.path}.${index - 1}`
      if (existsSync(from)) renameSync(from, `${this.path}.${index}`)
    }
    if (maxFiles === 1) rmSync(this.path, { force: true })
    this.#current++
    return (this.#fd = this.#open())
  }
}

/** Where to part lines in two: after a line, as near to the middle as there is one; 0 when there is but one. */
function middleOf(lines: Buffer): number {
  const half = lines.length >> 1
  const before = lines.subarray(0, half).lastIndexOf('\n') + 1
  const after = lines.indexOf('\n', half) + 1
  return before > 0 ? before : after === lines.length ? 0 : after
}
