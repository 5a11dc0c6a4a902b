/**
 * A place in a container's log, and reading on from there: over rotated files, and across the rotations that happen
 * meanwhile. Everything is synchronous, so nothing can be written or rotated between two looks at the files.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { emptyEntry, readEntry, type EntryView } from './log-format.ts'

/** Files are numbered through: every rotation begins the next. */
export interface Position {
  file: number
  offset: number
}

/** What a cursor needs to know of its log. */
export interface LogFiles {
  /** The numbers of the files there are, oldest first. */
  numbers(): number[]
  pathOf(number: number): string
}

/** Room for several of the longest entries. */
const blockBytes = 256 * 1024

export class LogCursor {
  readonly #files: LogFiles
  #position: Position
  #open: { number: number; fd: number } | undefined

  constructor(files: LogFiles, position: Position) {
    this.#files = files
    this.#position = position
  }

  get position(): Position {
    return this.#position
  }

  /** Says that what lies between here and `position` is known already. */
  skipTo(position: Position): void {
    this.#position = position
  }

  /** The next whole lines before `limit`; undefined when there are none for now. */
  next(limit?: Position): Buffer | undefined {
    for (;;) {
      const { file, offset } = this.#position
      const end = limit?.file === file ? limit.offset : Infinity
      const block = offset < end && file <= (limit?.file ?? Infinity) ? this.#read(end) : undefined
      if (block !== undefined) return block
      if (limit !== undefined && file >= limit.file) return undefined
      const newer = this.#files.numbers().find((number) => number > file)
      if (newer === undefined) return undefined
      this.#position = { file: newer, offset: 0 }
    }
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd)
    this.#open = undefined
  }

  #read(end: number): Buffer | undefined {
    const { file, offset } = this.#position
    const fd = this.#descriptor(file)
    if (fd === undefined) return undefined
    const buffer = Buffer.allocUnsafe(Math.min(blockBytes, end - offset))
    const length = readSync(fd, buffer, 0, buffer.length, offset)
    const whole = buffer.subarray(0, length).lastIndexOf(0x0a) + 1
    // Not ours, if it is longer than any entry: pass over it.
    const used = whole === 0 && length === blockBytes ? length : whole
    this.#position = { file, offset: offset + used }
    return used === 0 ? undefined : buffer.subarray(0, used)
  }

  /** Kept open, so that a file can be read to its end after it has been rotated away. */
  #descriptor(number: number): number | undefined {
    if (this.#open?.number === number) return this.#open.fd
    this.close()
    if (!this.#files.numbers().includes(number)) return undefined
    const fd = openSync(this.#files.pathOf(number), 'r')
    this.#open = { number, fd }
    return fd
  }
}

/** Where the last `count` entries begin that are asked for. */
export function positionOfTail(
  files: LogFiles,
  count: number,
  end: Position,
  isWanted: (block: Buffer, entry: EntryView) => boolean,
): Position {
  if (count === 0) return end
  const numbers = files.numbers()
  const entry = emptyEntry()
  let found = 0
  for (const file of numbers.toReversed()) {
    for (const { line, offset } of linesBackwards(files.pathOf(file))) {
      if (readEntry(line, 0, line.length, entry) && isWanted(line, entry) && ++found === count) return { file, offset }
    }
  }
  return { file: numbers[0] ?? end.file, offset: 0 }
}

const chunkBytes = 64 * 1024

/** The lines of a file from the last to the first, newlines included. */
function* linesBackwards(path: string): Generator<{ line: Buffer; offset: number }> {
  const fd = openSync(path, 'r')
  try {
    let position = fstatSync(fd).size
    let rest = Buffer.alloc(0)
    while (position > 0) {
      const length = Math.min(chunkBytes, position)
      position -= length
      const chunk = Buffer.alloc(length)
      readSync(fd, chunk, 0, length, position)
      let bytes = Buffer.concat([chunk, rest])
      // The newline that ends the last line is not the one before it.
      for (let before = bytes.lastIndexOf(0x0a, -2); before >= 0; before = bytes.lastIndexOf(0x0a, -2)) {
        yield { line: bytes.subarray(before + 1), offset: position + before + 1 }
        bytes = bytes.subarray(0, before + 1)
        if (bytes.length < 2) break
      }
      rest = bytes
    }
    if (rest.length > 0) yield { line: rest, offset: 0 }
  } finally {
    closeSync(fd)
  }
}
