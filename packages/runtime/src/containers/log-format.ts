/**
 * The bytes of a log file: Docker's json-file format, one JSON object a line, always in this one layout:
 *
 *   {"log":"hello\n","stream":"stdout","time":"2025-01-01T00:00:00.000000000Z"}
 *
 * Because the layout is fixed, lines go in and out as bytes, without an object or a string for each. That is the
 * difference between ten megabytes a second and two hundred. The text is always valid UTF-8.
 */
import { isUtf8 } from 'node:buffer'
import { formatNanos } from '../timestamps.ts'

export type StreamName = 'stdout' | 'stderr'

/** Longer lines are cut into several entries; only the last of them ends in a newline. */
const maxEntryBytes = 16 * 1024
const newlineByte = 0x0a
const backslashByte = 0x5c

const head = Buffer.from('{"log":"')
const timeBytes = 30
function tailOf(stream: StreamName, time: string) {
  return `","stream":"${stream}","time":"${time}"}\n`
}
const tailBytes = tailOf('stdout', '0'.repeat(timeBytes)).length
const tailStart = Buffer.from('","stream":"std')
/** Where the time begins in the tail, and its last digit. */
const timeAt = tailBytes - timeBytes - 3
const lastDigitAt = timeAt + timeBytes - 2
const stdoutLetter = 'o'.charCodeAt(0)

/** What JSON writes for a byte, where that is not the byte itself. */
const escapes: (Buffer | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  const written = JSON.stringify(String.fromCharCode(byte)).slice(1, -1)
  return byte < 0x80 && written.length > 1 ? Buffer.from(written) : undefined
})
const maxEscapeBytes = 6

/** How much of `bytes` is ready to be written: whole lines, and what is too long to wait for its newline. */
export function readyLength(bytes: Buffer): number {
  let ready = bytes.lastIndexOf(newlineByte) + 1
  while (bytes.length - ready >= maxEntryBytes) ready = cut(bytes, ready)
  return ready
}

/** What is not UTF-8 shows as U+FFFD, as everywhere in Docker. */
export function toUtf8(bytes: Buffer): Buffer {
  return isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'))
}

let scratch = Buffer.allocUnsafe(256 * 1024)
let scratchView = viewOf(scratch)

/**
 * The entries for `lines` (valid UTF-8), the first at `firstNanos` and each a nanosecond after the one before. The
 * bytes are the caller's until the next call.
 */
export function encodeEntries(
  lines: Buffer,
  stream: StreamName,
  firstNanos: bigint,
): { encoded: Buffer; count: number } {
  // The end of an entry and the beginning of the next are one piece: what counts here is the number of copies.
  const between = Buffer.concat([Buffer.from(tailOf(stream, formatNanos(firstNanos))), head])
  const view = viewOf(lines)
  let at = head.copy(scratch)
  let count = 0
  for (let start = 0; start < lines.length; count++) {
    if (count > 0 && !addNanosecond(between)) between.write(formatNanos(firstNanos + BigInt(count)), timeAt)
    const end = endOfEntry(lines, start)
    const needed = at + (end - start) * maxEscapeBytes + between.length
    if (needed > scratch.length) {
      scratch = Buffer.concat([scratch.subarray(0, at)], needed * 2)
      scratchView = viewOf(scratch)
    }
    at = putText(view, start, end, at)
    scratch.set(between, at)
    at += between.length
    start = end
  }
  return { encoded: scratch.subarray(0, at - head.length), count }
}

/** Writes a byte of text as JSON has it; returns the place behind it. */
function putByte(byte: number, at: number): number {
  const escape = escapes[byte]
  if (escape !== undefined) return at + escape.copy(scratch, at)
  scratch[at] = byte
  return at + 1
}

/** Writes text as JSON has it, four bytes at a time where JSON has them as they are; returns the place behind it. */
function putText(text: DataView, start: number, end: number, to: number): number {
  let [from, at] = [start, to]
  for (; from + 4 <= end; from += 4) {
    const word = text.getUint32(from)
    if (isPlain(word)) {
      scratchView.setUint32(at, word)
      at += 4
    } else for (let byte = from; byte < from + 4; byte++) at = putByte(text.getUint8(byte), at)
  }
  for (; from < end; from++) at = putByte(text.getUint8(from), at)
  return at
}

/**
 * Whether JSON has four bytes as they are: no control character, quote or backslash among them.
 * `(w - 0x01010101) & ~w & 0x80808080` is not zero if one byte of the word w is, and with 0x20202020 if one is below
 * 0x20.
 */
function isPlain(word: number): boolean {
  const quote = word ^ 0x22222222
  const backslash = word ^ 0x5c5c5c5c
  const found =
    ((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash)
  return (found & 0x80808080) === 0
}

/** To read and write whole words of. */
export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Returns the place behind the bytes. Buffer.copy() would make an object for each piece, and lines are short. */
export function copyBytes(source: DataView, start: number, end: number, target: DataView, to: number): number {
  let [from, at] = [start, to]
  for (; from + 4 <= end; from += 4, at += 4) target.setUint32(at, source.getUint32(from))
  for (; from < end; from++, at++) target.setUint8(at, source.getUint8(from))
  return at
}

/** False when the second is over. */
function addNanosecond(tail: Buffer): boolean {
  for (let at = lastDigitAt; at > lastDigitAt - 9; at--) {
    const digit = tail[at] as number
    if (digit < 0x39) {
      tail[at] = digit + 1
      return true
    }
    tail[at] = 0x30
  }
  return false
}

/** Where the entry ends that begins at `start` of some lines. */
export function endOfEntry(lines: Buffer, start: number): number {
  const newline = lines.indexOf(newlineByte, start)
  const end = newline < 0 ? lines.length : newline + 1
  return end - start > maxEntryBytes ? cut(lines, start) : end
}

/** The end of an entry of the greatest length, which is not in the middle of a character. */
function cut(bytes: Buffer, start: number): number {
  const end = start + maxEntryBytes
  for (let at = end; at > end - 4; at--) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at
  return end
}

/** One entry of a block, described by where things are in it; the same object for every entry. */
export interface EntryView {
  stream: StreamName
  /** Position of the time, timeBytes long. */
  timeStart: number
  /** Positions of the text as it is in the file. */
  textStart: number
  textEnd: number
}

/** Visits the entries of a block of whole lines until `visit` returns false. What is no entry is passed over. */
export function visitEntries(block: Buffer, visit: (entry: EntryView) => boolean | void): void {
  const entry: EntryView = { stream: 'stdout', timeStart: 0, textStart: 0, textEnd: 0 }
  for (let start = 0; start < block.length;) {
    const newline = block.indexOf(newlineByte, start)
    const end = newline < 0 ? block.length : newline + 1
    if (readEntry(block, start, end, entry) && visit(entry) === false) return
    start = end
  }
}

/** Half lines of a killed writer are no entries. */
export function readEntry(block: Buffer, start: number, end: number, entry: EntryView): boolean {
  const textEnd = end - tailBytes
  if (textEnd < start + head.length || !startsWith(block, start, head) || !startsWith(block, textEnd, tailStart)) {
    return false
  }
  entry.stream = block[textEnd + tailStart.length] === stdoutLetter ? 'stdout' : 'stderr'
  entry.timeStart = textEnd + timeAt
  entry.textStart = start + head.length
  entry.textEnd = textEnd
  return true
}

export function emptyEntry(): EntryView {
  return { stream: 'stdout', timeStart: 0, textStart: 0, textEnd: 0 }
}

function startsWith(block: Buffer, start: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index++) if (block[start + index] !== wanted[index]) return false
  return true
}

/** Copies the entry's time; returns the place behind it. */
export function copyTime(block: DataView, { timeStart }: EntryView, target: DataView, at: number): number {
  return copyBytes(block, timeStart, timeStart + timeBytes, target, at)
}

/** Negative when the entry is older than `time` (formatNanos), positive when it is younger. */
export function compareTime(block: Buffer, { timeStart }: EntryView, time: Buffer): number {
  return block.compare(time, 0, timeBytes, timeStart, timeStart + timeBytes)
}

/** Copies the entry's text, which is never longer than it is in the file; returns the place behind it. */
export function copyText(
  block: Buffer,
  view: DataView,
  { textStart, textEnd }: EntryView,
  target: DataView,
  at: number,
): number {
  const found = block.indexOf(backslashByte, textStart)
  const backslash = found < 0 || found > textEnd ? textEnd : found
  const end = copyBytes(view, textStart, backslash, target, at)
  if (backslash === textEnd) return end
  if (backslash === textEnd - 2 && block[textEnd - 1] === 0x6e) {
    target.setUint8(end, newlineByte)
    return end + 1
  }
  const text = Buffer.from(JSON.parse(block.toString('utf8', textStart - 1, textEnd + 1)) as string)
  return copyBytes(viewOf(text), 0, text.length, target, at)
}
