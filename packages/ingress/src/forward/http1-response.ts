/**
 * Reads the answers of an HTTP/1.1 server (RFC 9112), one after the other, from the bytes as they come.
 *
 * Callers may rely on: what is not exactly an answer is an error (BadAnswer), never a guess: two lengths, a length
 * beside chunks, another transfer coding, a folded or nameless header, a bare line feed. A backend that is tricked into
 * such an answer would otherwise speak to the next client, too.
 *
 * undici's parser is WebAssembly behind a queue of requests; as the client of a proxy it took as much processor time as
 * all the rest together (docs/ingress.md has the numbers). A proxy needs little of a client, and that exactly: to know
 * whether a byte of a request was sent, to hand on 103, trailers and upgrades, and one answer at a time.
 */

export interface AnswerHead {
  status: number
  /** Names and values in turns. */
  headers: string[]
  /** Whether the connection may be used again after this answer. */
  keepsAlive: boolean
}

export interface AnswerReader {
  /** 100 – 199 but for 101. */
  onInformation(status: number, headers: string[]): void
  /** 101 is a head without an end: the bytes after it are no longer HTTP's. */
  onHead(head: AnswerHead): void
  onData(chunk: Buffer): void
  onEnd(trailers: string[]): void
}

export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
  readonly code = 'EBADANSWER'
}

const mostHeadBytes = 64 * 1024
const mostLineBytes = 8 * 1024
const nothing = Buffer.alloc(0)

type State = 'head' | 'length' | 'close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'idle' | 'upgraded'

export class AnswerParser {
  readonly #reader: AnswerReader
  #state: State = 'idle'
  #method = ''
  /** What came of a head or a line that is not complete. */
  #held: Buffer = nothing
  /** Bytes of the body, or of the chunk, that are still to come. */
  #left = 0

  constructor(reader: AnswerReader) {
    this.#reader = reader
  }

  get isIdle(): boolean {
    return this.#state === 'idle'
  }

  /** The next answer is one to a request of this method. */
  expect(method: string): void {
    this.#method = method
    this.#state = 'head'
  }

  /** Returns what follows the head of a 101. Throws BadAnswer. */
  push(chunk: Buffer): Buffer {
    let rest = chunk
    if (this.#held.length > 0) {
      rest = Buffer.concat([this.#held, chunk])
      this.#held = nothing
    }
    while (rest.length > 0) {
      if (this.#state === 'idle') throw new BadAnswer('the backend sent more than its answer')
      if (this.#state === 'upgraded') return rest
      const next = this.#step(rest)
      if (next === undefined) {
        this.#held = rest
        break
      }
      rest = next
    }
    return nothing
  }

  /** The connection has ended. Throws BadAnswer when that cuts an answer short. */
  finish(): void {
    if (this.#state === 'close') return this.#end([])
    if (this.#state !== 'idle') throw new BadAnswer('the backend ended the connection before the end of its answer')
  }

  /** Undefined: too little has come to go on. */
  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'length':
      case 'chunk':
        return this.#readBody(bytes)
      case 'chunk-size':
        return this.#readLine(bytes, (line) => this.#readChunkSize(line))
      case 'chunk-end':
        return this.#readLine(bytes, (line) => {
          if (line !== '') throw new BadAnswer('the backend sent a chunk that is longer than it said')
          this.#state = 'chunk-size'
        })
      case 'trailers':
        return this.#readTrailers(bytes)
      default:
        this.#reader.onData(bytes)
        return nothing
    }
  }

  #readHead(bytes: Buffer): Buffer | undefined {
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0 || end > mostHeadBytes) {
      if (end >= 0 || bytes.length > mostHeadBytes) throw new BadAnswer('the head of the answer is too long')
      return undefined
    }
    const lines = bytes.toString('latin1', 0, end).split('\r\n')
    const [, minor, code] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(lines[0] ?? '') ?? []
    if (code === undefined)
      throw new BadAnswer(`this is no answer of HTTP/1.1: ${JSON.stringify(lines[0]?.slice(0, 80))}`)
    const status = Number(code)
    const headers = readFields(lines, 1)
    if (status < 200 && status !== 101) this.#reader.onInformation(status, headers)
    else this.#begin(status, headers, minor === '1')
    return bytes.subarray(end + 4)
  }

  /** RFC 9112, section 6.3. */
  #begin(status: number, headers: string[], isHttp11: boolean): void {
    const framing = framingOf(headers, isHttp11)
    const hasNoBody = this.#method === 'HEAD' || status === 204 || status === 304
    const isUntilClose = !hasNoBody && status !== 101 && !framing.isChunked && framing.length === undefined
    this.#state = status === 101 ? 'upgraded' : framing.isChunked ? 'chunk-size' : isUntilClose ? 'close' : 'length'
    this.#left = framing.length ?? 0
    this.#reader.onHead({ status, headers, keepsAlive: framing.keepsAlive && !isUntilClose })
    if (status !== 101 && (hasNoBody || (this.#state === 'length' && this.#left === 0))) this.#end([])
  }

  #readBody(bytes: Buffer): Buffer {
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
    this.#left -= part.length
    const isLast = this.#left === 0
    this.#reader.onData(part)
    if (isLast && this.#state === 'chunk') this.#state = 'chunk-end'
    else if (isLast) this.#end([])
    return bytes.subarray(part.length)
  }

  #readLine(bytes: Buffer, read: (line: string) => void): Buffer | undefined {
    const end = bytes.indexOf('\r\n')
    if (end > mostLineBytes || (end < 0 && bytes.length > mostLineBytes)) throw new BadAnswer('a line is too long')
    if (end < 0) return undefined
    read(bytes.toString('latin1', 0, end))
    return bytes.subarray(end + 2)
  }

  #readChunkSize(line: string): void {
    const [, size] = /^([\da-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i.exec(line) ?? []
    if (size === undefined) throw new BadAnswer(`this is no size of a chunk: ${JSON.stringify(line.slice(0, 80))}`)
    this.#left = Number.parseInt(size, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
  }

  #readTrailers(bytes: Buffer): Buffer | undefined {
    if (bytes[0] === 13 && bytes[1] === 10) {
      this.#end([])
      return bytes.subarray(2)
    }
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) {
      if (bytes.length > mostLineBytes) throw new BadAnswer('the trailers of the answer are too long')
      return undefined
    }
    this.#end(readFields(bytes.toString('latin1', 0, end).split('\r\n'), 0))
    return bytes.subarray(end + 4)
  }

  #end(trailers: string[]): void {
    this.#state = 'idle'
    this.#reader.onEnd(trailers)
  }
}

function readFields(lines: string[], from: number): string[] {
  const fields: string[] = []
  for (let index = from; index < lines.length; index++) {
    const line = lines[index] ?? ''
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (colon < 1 || !isToken(name) || !isValue(value)) {
      throw new BadAnswer(`this is no header: ${JSON.stringify(line.slice(0, 80))}`)
    }
    fields.push(name, value)
  }
  return fields
}

function isToken(text: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(text)
}

/** What HTTP/1 can carry, and nothing that could end a line for somebody. */
export function isValue(text: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(text)
}

interface Framing {
  isChunked: boolean
  length?: number
  keepsAlive: boolean
}

function framingOf(headers: string[], isHttp11: boolean): Framing {
  let isChunked = false
  let length: string | undefined
  let keepsAlive = isHttp11
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    // Names of these lengths are the only ones that matter here.
    if (name.length !== 14 && name.length !== 17 && name.length !== 10) continue
    const value = headers[index + 1] ?? ''
    switch (name.toLowerCase()) {
      case 'transfer-encoding':
        if (isChunked || value.toLowerCase() !== 'chunked' || !isHttp11) {
          throw new BadAnswer(`the backend uses the transfer coding ${JSON.stringify(value.slice(0, 80))}`)
        }
        isChunked = true
        break
      case 'content-length':
        if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== value)) {
          throw new BadAnswer(`the backend says the length ${JSON.stringify(value.slice(0, 80))}`)
        }
        length = value
        break
      case 'connection':
        if (/(?:^|,)\s*close\s*(?:,|$)/i.test(value)) keepsAlive = false
        break
      default:
    }
  }
  if (isChunked && length !== undefined) throw new BadAnswer('the backend says a length beside chunks')
  return { isChunked, keepsAlive, ...(length === undefined ? {} : { length: Number(length) }) }
}
