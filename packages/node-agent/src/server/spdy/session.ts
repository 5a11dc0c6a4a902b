/**
 * A SPDY session on any duplex connection: an upgraded socket, or a WebSocket that tunnels one. The client opens the
 * streams; here they are accepted and become ordinary Node streams.
 *
 * Callers may rely on: `onStream` is called once for each stream, in the order in which the client opened them, after
 * it has been accepted; a stream's end() closes our half only; when the connection goes, every stream is destroyed.
 */

import { Duplex } from 'node:stream'
import { dataFrames, FrameReader, goAwayFrame, pingFrame, resetFrame, synReplyFrame, type Frame } from './frames.ts'
import { HeaderReader, HeaderWriter, type Headers } from './header-block.ts'

const cancelStatus = 5

export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: Headers
  readonly #send: (frames: Buffer[], done: (error?: Error | null) => void) => void

  constructor(id: number, headers: Headers, send: (frames: Buffer[], done: (error?: Error | null) => void) => void) {
    // A client that has closed its half still wants to hear the rest of ours.
    super({ allowHalfOpen: true })
    this.id = id
    this.headers = headers
    this.#send = send
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(dataFrames(this.id, chunk), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(dataFrames(this.id, Buffer.alloc(0), true), done)
  }

  /** Data is pushed when it arrives: without flow control there is nobody to ask for more. */
  override _read(): void {}

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.writableFinished) return done(error)
    this.#send([resetFrame(this.id, cancelStatus)], () => done(error))
  }
}

export class SpdySession {
  readonly #connection: Duplex
  readonly #reader = new HeaderReader()
  readonly #writer = new HeaderWriter()
  readonly #streams = new Map<number, SpdyStream>()
  readonly #onStream: (stream: SpdyStream) => void
  #lastStreamId = 0

  constructor(connection: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#connection = connection
    this.#onStream = onStream
    // A broken connection ends the loop in run(); the listener only keeps the error from ending the process.
    connection.on('error', () => connection.destroy())
  }

  /** Resolves when the connection is over. Rejects when the other side does not speak SPDY. */
  async run(): Promise<void> {
    const frames = new FrameReader()
    try {
      for await (const chunk of this.#connection) {
        // One after the other: the header context must see its blocks in order.
        for (const frame of frames.push(chunk as Buffer)) await this.#handle(frame)
      }
    } catch (error) {
      if (!this.#connection.destroyed) throw error
    } finally {
      for (const stream of this.#streams.values()) stream.destroy()
      this.#connection.destroy()
      this.#reader.close()
      this.#writer.close()
    }
  }

  close(): void {
    if (this.#connection.writable) this.#connection.end(goAwayFrame(this.#lastStreamId))
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'synStream':
        return await this.#accept(frame.streamId, await this.#reader.read(frame.headers), frame.fin)
      case 'synReply':
      case 'headers':
        // Not used, but the context has to see them.
        await this.#reader.read(frame.headers)
        return
      case 'data':
        return this.#deliver(frame.streamId, frame.data, frame.fin)
      case 'reset':
        this.#streams.get(frame.streamId)?.destroy()
        return
      case 'ping':
        this.#write([pingFrame(frame.id)], () => undefined)
        return
      case 'goAway':
        return this.close()
      default:
    }
  }

  async #accept(id: number, headers: Headers, fin: boolean): Promise<void> {
    this.#lastStreamId = id
    const stream = new SpdyStream(id, headers, (frames, done) => this.#write(frames, done))
    stream.on('error', () => stream.destroy())
    stream.once('close', () => this.#streams.delete(id))
    this.#streams.set(id, stream)
    this.#write([synReplyFrame(id, await this.#writer.write({}))], () => undefined)
    if (fin) stream.push(null)
    this.#onStream(stream)
  }

  #deliver(id: number, data: Buffer, fin: boolean): void {
    const stream = this.#streams.get(id)
    if (!stream || stream.readableEnded) return
    if (data.length > 0) stream.push(data)
    if (fin) stream.push(null)
  }

  #write(frames: Buffer[], done: (error?: Error | null) => void): void {
    if (!this.#connection.writable) return done()
    this.#connection.write(Buffer.concat(frames), done)
  }
}
