import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { dictionary } from './dictionary.ts'
import { dataFrames, FrameReader, pingFrame, synStreamFrame, type Frame } from './frames.ts'
import { HeaderReader, HeaderWriter } from './header-block.ts'
import { SpdySession, type SpdyStream } from './session.ts'

test('the dictionary is the one of the specification', () => {
  let [a, b] = [1, 0]
  for (const byte of dictionary) [a, b] = [(a + byte) % 65521, (b + a + byte) % 65521]
  expect([dictionary.length, ((b << 16) | a) >>> 0]).toEqual([1423, 0xe3c6a7c2])
})

test('header blocks share one context', async () => {
  const writer = new HeaderWriter()
  const reader = new HeaderReader()
  const headers = { streamtype: 'data', port: '8080', requestid: '0' }
  const first = await writer.write(headers)
  const second = await writer.write(headers)
  expect(first.subarray(2, 6).readUInt32BE()).toBe(0xe3c6a7c2)
  expect(second.length).toBeLessThan(first.length)
  expect(await reader.read(first)).toEqual(headers)
  expect(await reader.read(second)).toEqual(headers)
})

test.each([1, 3, 7, 8, 1000])('frames are read the same whatever way they are cut: %i bytes', (size) => {
  const bytes = Buffer.concat([...dataFrames(1, Buffer.from('hello')), ...dataFrames(3, Buffer.alloc(0), true)])
  const reader = new FrameReader()
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)))
  expect(frames).toEqual([
    { type: 'data', streamId: 1, fin: false, data: Buffer.from('hello') },
    { type: 'data', streamId: 3, fin: true, data: Buffer.alloc(0) },
  ])
})

test('a header block without measure is refused', async () => {
  await expect(new HeaderReader().read(Buffer.alloc(100_000))).rejects.toThrow('a header block of 100000 bytes')
})

test('another version is refused', () => {
  expect(() => new FrameReader().push(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]))).toThrow('SPDY version 2')
})

/** Two ends of a connection in memory. */
function pair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        other().push(chunk)
        done()
      },
      final: (done) => {
        other().push(null)
        done()
      },
    })
  const ends: [Duplex, Duplex] = [make(() => ends[1]), make(() => ends[0])]
  return ends
}

test('a client opens a stream, both sides talk, the client hears the end', async () => {
  const [client, server] = pair()
  const session = new SpdySession(server, (stream: SpdyStream) => {
    stream.on('data', (data: Buffer) => stream.write(`${stream.headers['streamtype']}: ${data.toString()}`))
    stream.on('end', () => stream.end('bye'))
  })
  const over = session.run()
  const received: Frame[] = []
  const reader = new FrameReader()
  client.on('data', (chunk: Buffer) => received.push(...reader.push(chunk)))
  client.write(synStreamFrame(1, await new HeaderWriter().write({ Streamtype: 'data' })))
  client.write(Buffer.concat([...dataFrames(1, Buffer.from('ping'), true), pingFrame(Buffer.from([0, 0, 0, 9]))]))
  while (!received.some((frame) => frame.type === 'data' && frame.fin)) await new Promise(setImmediate)
  expect(received[0]).toMatchObject({ type: 'synReply', streamId: 1 })
  expect(received).toContainEqual({ type: 'ping', id: Buffer.from([0, 0, 0, 9]) })
  const text = received.flatMap((frame) => (frame.type === 'data' ? [frame.data.toString()] : [])).join('|')
  expect(text).toBe('data: ping|bye|')
  client.end()
  await over
})
