/**
 * `docker logs`: picks entries out of a log by stream, time and number from the end, and goes on with what is added.
 *
 * Whoever reads sees every entry once and in order, however slowly it reads: what it has not taken yet stays in the
 * files and is read from there. Output comes as it goes over the wire: a frame (shared/docker/stdcopy.ts) for each
 * entry, as in Docker, where clients show each frame as a line; or with a TTY the bare text.
 */
import { frameHeaderBytes, writeFrameHeader } from '@dinghy/shared/docker/stdcopy'
import { LogCursor, positionOfTail, type Position } from './log-cursor.ts'
import type { Appended, LogFile } from './log-file.ts'
import {
  compareTime,
  copyBytes,
  copyText,
  copyTime,
  endOfEntry,
  viewOf,
  visitEntries,
  type EntryView,
  type StreamName,
} from './log-format.ts'
import { formatNanos } from '../timestamps.ts'

export interface LogQuery {
  streams: StreamName[]
  since: bigint | undefined
  until: bigint | undefined
  /** How many entries from the end; undefined for all. */
  tail: number | undefined
}

export interface LogOutput {
  /** Text alone, as with a TTY, and not in frames. */
  raw: boolean
  /** Each entry behind its time. */
  timestamps: boolean
  /** What stands before the text of each entry. */
  details?: string
}

export class LogReader {
  readonly #query: LogQuery
  readonly #output: LogOutput
  readonly #cursor: LogCursor
  readonly #isWanted: (block: Buffer, entry: EntryView) => boolean
  /** Nothing is left out and nothing added, so output can be passed on as it came. */
  readonly #isPlain: boolean

  constructor(file: LogFile, query: LogQuery, output: LogOutput) {
    this.#query = query
    this.#output = output
    this.#isWanted = selector(query)
    this.#isPlain = query.since === undefined && query.until === undefined && !output.timestamps && !output.details
    const { tail } = query
    const start =
      tail === undefined
        ? { file: file.numbers()[0] ?? file.end.file, offset: 0 }
        : positionOfTail(file, tail, file.end, this.#isWanted)
    this.#cursor = new LogCursor(file, start)
  }

  /** The next output before `limit`; undefined when there is none for now. */
  next(limit?: Position): Buffer | undefined {
    for (;;) {
      const block = this.#cursor.next(limit)
      if (block === undefined) return undefined
      const bytes = render(block, this.#isWanted, this.#output)
      if (bytes.length > 0) return bytes
    }
  }

  /** What has just been appended, if nothing before it is left to be read and no entry has to be looked at. */
  take({ stream, lines, count, from, to }: Appended): Buffer | undefined {
    const { file, offset } = this.#cursor.position
    if (!this.#isPlain || file !== from.file || offset !== from.offset) return undefined
    this.#cursor.skipTo(to)
    if (!this.#query.streams.includes(stream)) return undefined
    return this.#output.raw ? lines : frameEntries(stream, lines, count)
  }

  close(): void {
    this.#cursor.close()
  }
}

/** The latest moment that an entry's time can show. */
const maxNanos = 253_402_300_799_999_999_999n

function selector({ streams, since, until }: LogQuery): (block: Buffer, entry: EntryView) => boolean {
  const [first, last] = [since, until].map((nanos) =>
    nanos === undefined ? undefined : Buffer.from(formatNanos(nanos < 0n ? 0n : nanos > maxNanos ? maxNanos : nanos)),
  )
  return (block, entry) =>
    streams.includes(entry.stream) &&
    (first === undefined || compareTime(block, entry, first) >= 0) &&
    (last === undefined || compareTime(block, entry, last) <= 0)
}

/** A block of the file as output. Pure. Without details an entry always takes less room here than there. */
function render(
  block: Buffer,
  isWanted: (block: Buffer, entry: EntryView) => boolean,
  { raw, timestamps, details = '' }: LogOutput,
): Buffer {
  const prefix = viewOf(Buffer.from(details))
  const output = Buffer.allocUnsafe(block.length + (details === '' ? 0 : prefix.byteLength * entriesIn(block)))
  const [source, target] = [viewOf(block), viewOf(output)]
  let at = 0
  visitEntries(block, (entry) => {
    if (!isWanted(block, entry)) return
    const start = at
    if (!raw) at += frameHeaderBytes
    if (timestamps) {
      at = copyTime(source, entry, target, at)
      output[at++] = 0x20
    }
    at = copyBytes(prefix, 0, prefix.byteLength, target, at)
    at = copyText(block, source, entry, target, at)
    if (!raw) writeFrameHeader(target, start, entry.stream, at - start - frameHeaderBytes)
  })
  return output.subarray(0, at)
}

function entriesIn(block: Buffer): number {
  let count = 0
  visitEntries(block, () => void count++)
  return count
}

/** The same for what has just been written as `count` entries. One buffer for all: lines are short and may be many. */
function frameEntries(stream: StreamName, lines: Buffer, count: number): Buffer {
  const output = Buffer.allocUnsafe(lines.length + count * frameHeaderBytes)
  const [source, target] = [viewOf(lines), viewOf(output)]
  for (let start = 0, at = 0; start < lines.length;) {
    const end = endOfEntry(lines, start)
    writeFrameHeader(target, at, stream, end - start)
    at = copyBytes(source, start, end, target, at + frameHeaderBytes)
    start = end
  }
  return output
}
