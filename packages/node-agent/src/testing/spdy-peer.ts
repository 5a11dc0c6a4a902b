/**
 * The client's side of SPDY/3.1, for tests: upgrades a connection as an older kubectl does, opens streams, and keeps
 * what comes back on each.
 */

import { request, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { dataFrames, FrameReader, synStreamFrame } from '../server/spdy/frames.ts'
import { HeaderWriter, type Headers } from '../server/spdy/header-block.ts'

interface PeerStream {
  text: string
  isEnded: boolean
}

export class SpdyPeer {
  /** By stream id. */
  readonly streams = new Map<number, PeerStream>()
  readonly socket: Duplex
  isClosed = false
  readonly #writer = new HeaderWriter()
  #nextId = 1

  constructor(socket: Duplex) {
    this.socket = socket
    const reader = new FrameReader()
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        const stream = 'streamId' in frame ? this.streams.get(frame.streamId) : undefined
        if (!stream) continue
        if (frame.type === 'data') stream.text += frame.data.toString('utf8')
        if (frame.type === 'reset' || (frame.type === 'data' && frame.fin)) stream.isEnded = true
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => (this.isClosed = true))
  }

  /** Rejects with the status code of a refusal. */
  static async open(url: string, protocol: string): Promise<SpdyPeer> {
    return new SpdyPeer(await upgrade(url, 'POST', { Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol }))
  }

  /** Through a WebSocket, which the library `ws` cannot open: kubectl's protocol has a slash in its name. */
  static async openTunnel(url: string): Promise<SpdyPeer> {
    const headers = {
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
    }
    return new SpdyPeer(unframed(await upgrade(url, 'GET', headers)))
  }

  async openStream(headers: Headers): Promise<number> {
    const id = this.#nextId
    this.#nextId += 2
    this.streams.set(id, { text: '', isEnded: false })
    this.socket.write(synStreamFrame(id, await this.#writer.write(headers)))
    return id
  }

  write(id: number, text: string, fin = false): void {
    for (const bytes of dataFrames(id, Buffer.from(text), fin)) this.socket.write(bytes)
  }

  textOf(id: number): string {
    return this.streams.get(id)?.text ?? ''
  }

  isEnded(id: number): boolean {
    return this.streams.get(id)?.isEnded ?? false
  }
}

function upgrade(url: string, method: string, headers: Record<string, string>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { Connection: 'Upgrade', ...headers } })
    sent.on('upgrade', (response, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head)
      const agreed = response.headers['sec-websocket-protocol']
      if (agreed === headers['Sec-WebSocket-Protocol']) resolve(socket)
      else reject(new Error(`agreed on ${agreed}`))
    })
    sent.on('response', (response: IncomingMessage) => reject(new Error(`refused: ${response.statusCode}`)))
    sent.on('error', reject)
    sent.end()
  })
}

/** The payloads of a WebSocket's binary messages of less than 64 KiB, in and out. The mask is zero: no change. */
function unframed(socket: Duplex): Duplex {
  let rest: Buffer = Buffer.alloc(0)
  const payloads = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      const length = chunk.length < 126 ? [0x80 | chunk.length] : [0x80 | 126, chunk.length >> 8, chunk.length & 0xff]
      socket.write(Buffer.concat([Buffer.from([0x82, ...length, 0, 0, 0, 0]), chunk]), done)
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const short = rest[1] ?? 0
      const start = short === 126 ? 4 : 2
      const length = short === 126 && rest.length >= 4 ? rest.readUInt16BE(2) : short
      if (rest.length < start || rest.length < start + length) return
      if (rest[0] === 0x82) payloads.push(rest.subarray(start, start + length))
      rest = rest.subarray(start + length)
    }
  })
  return payloads
}
