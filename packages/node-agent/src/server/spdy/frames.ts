/**
 * The frames of SPDY/3.1, as far as Kubernetes uses it. Pure: bytes in, frames out, and back.
 *
 *   control: 1 | version 3 (15 bits) | type (16) | flags (8) | length (24) | payload
 *   data:    0 | stream id (31)                  | flags (8) | length (24) | bytes
 *
 * Header blocks are left compressed here: header-block.ts has the zlib contexts. There is no flow control in this
 * protocol as Kubernetes' own library (moby/spdystream) speaks it: WINDOW_UPDATE is ignored on both sides.
 */

export type Frame =
  | { type: 'data'; streamId: number; fin: boolean; data: Buffer }
  | { type: 'synStream'; streamId: number; fin: boolean; headers: Buffer }
  | { type: 'synReply'; streamId: number; fin: boolean; headers: Buffer }
  | { type: 'reset'; streamId: number; status: number }
  | { type: 'ping'; id: Buffer }
  | { type: 'goAway' }
  | { type: 'headers'; streamId: number; fin: boolean; headers: Buffer }
  | { type: 'other' }

const version = 3
const headerLength = 8
const finFlag = 1
const types = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const
/** A length has 24 bits; smaller frames keep several streams moving. */
const mostData = 64 * 1024

/** Frames arrive cut anywhere. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** Throws when this is no SPDY/3. */
  push(chunk: Buffer): Frame[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const frames: Frame[] = []
    let at = 0
    while (bytes.length - at >= headerLength) {
      const length = bytes.readUIntBE(at + 5, 3)
      if (bytes.length - at < headerLength + length) break
      frames.push(
        readFrame(bytes.subarray(at, at + headerLength), bytes.subarray(at + headerLength, at + headerLength + length)),
      )
      at += headerLength + length
    }
    this.#rest = bytes.subarray(at)
    return frames
  }
}

function readFrame(header: Buffer, payload: Buffer): Frame {
  const first = header.readUInt32BE(0)
  const fin = ((header[4] ?? 0) & finFlag) !== 0
  if (first < 0x8000_0000) return { type: 'data', streamId: first, fin, data: payload }
  const spoken = (first >>> 16) & 0x7fff
  if (spoken !== version) throw new Error(`SPDY version ${spoken} is not spoken here`)
  const streamId = payload.length >= 4 ? payload.readUInt32BE(0) & 0x7fff_ffff : 0
  switch (first & 0xffff) {
    case types.synStream:
      // After the id: the associated stream, a priority and a slot, none of which matter here.
      return { type: 'synStream', streamId, fin, headers: payload.subarray(10) }
    case types.synReply:
      return { type: 'synReply', streamId, fin, headers: payload.subarray(4) }
    case types.headers:
      return { type: 'headers', streamId, fin, headers: payload.subarray(4) }
    case types.reset:
      return { type: 'reset', streamId, status: payload.readUInt32BE(4) }
    case types.ping:
      return { type: 'ping', id: payload.subarray(0, 4) }
    case types.goAway:
      return { type: 'goAway' }
    default:
      return { type: 'other' }
  }
}

export function dataFrames(streamId: number, data: Buffer, fin = false): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at === 0 || at < data.length; at += mostData) {
    const piece = data.subarray(at, at + mostData)
    const isLast = at + mostData >= data.length
    const header = Buffer.alloc(headerLength)
    header.writeUInt32BE(streamId, 0)
    header[4] = fin && isLast ? finFlag : 0
    header.writeUIntBE(piece.length, 5, 3)
    frames.push(header, piece)
  }
  return frames
}

export function synStreamFrame(streamId: number, headers: Buffer, fin = false): Buffer {
  const prefix = Buffer.alloc(10)
  prefix.writeUInt32BE(streamId, 0)
  return controlFrame(types.synStream, fin, Buffer.concat([prefix, headers]))
}

export function synReplyFrame(streamId: number, headers: Buffer): Buffer {
  return controlFrame(types.synReply, false, Buffer.concat([uint32(streamId), headers]))
}

export function resetFrame(streamId: number, status: number): Buffer {
  return controlFrame(types.reset, false, Buffer.concat([uint32(streamId), uint32(status)]))
}

export function pingFrame(id: Buffer): Buffer {
  return controlFrame(types.ping, false, id)
}

export function goAwayFrame(lastStreamId: number): Buffer {
  return controlFrame(types.goAway, false, Buffer.concat([uint32(lastStreamId), uint32(0)]))
}

function controlFrame(type: number, fin: boolean, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt16BE(0x8000 | version, 0)
  header.writeUInt16BE(type, 2)
  header[4] = fin ? finFlag : 0
  header.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([header, payload])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
