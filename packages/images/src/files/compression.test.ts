import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { decompressed, detectCompression, peek } from './compression.ts'

const plain = Buffer.from('some text that is long enough')

test.each([
  ['gzip', gzipSync(plain)],
  ['none', plain],
] as const)('%s is read, however it is cut up', async (compression, bytes) => {
  for (const size of [1, 5, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, at * size + size),
    )
    const result = await decompressed(Readable.from(chunks))
    expect(result.compression).toBe(compression)
    expect(await buffer(result.stream)).toEqual(plain)
  }
})

test.each([[''], ['a']])('a stream shorter than any magic number: %j', async (text) => {
  const { stream, compression } = await decompressed(Readable.from([Buffer.from(text)]))
  expect([compression, (await buffer(stream)).toString()]).toEqual(['none', text])
})

test('magic numbers', () => {
  expect(
    [
      [0x42, 0x5a, 0x68],
      [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
      [0x28, 0xb5, 0x2f, 0xfd],
    ].map((head) => detectCompression(Buffer.from(head))),
  ).toEqual(['bzip2', 'xz', 'zstd'])
})

test('errors surface on the result, at the beginning and later', async () => {
  const failing = (good: number) =>
    Readable.from(
      (async function* () {
        for (let sent = 0; sent < good; sent++) yield await Promise.resolve(plain)
        throw new Error('the line is dead')
      })(),
    )
  await expect(peek(failing(0), 6)).rejects.toThrow('the line is dead')
  const { stream } = await peek(failing(2), 6)
  await expect(buffer(stream)).rejects.toThrow('the line is dead')
  const broken = await decompressed(Readable.from([gzipSync(plain).subarray(0, 20)]))
  await expect(buffer(broken.stream)).rejects.toThrow('unexpected end of file')
})

test('who destroys the result destroys the source', async () => {
  const source = Readable.from([plain, plain, plain])
  const { stream } = await peek(source, 6)
  const closed = new Promise((resolve) => source.once('close', resolve))
  stream.destroy()
  await closed
  expect(source.destroyed).toBe(true)
})
