import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { demultiplex } from './stdcopy.ts'

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([header, Buffer.from(text)])
}

const bytes = Buffer.concat([frame(1, 'out'), frame(2, ''), frame(2, 'err\n'), frame(1, 'more')])

test.each([1, 2, 3, 7, 8, 9, 1000])('frames survive being cut every %i bytes', async (size) => {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )
  const frames: string[] = []
  for await (const { stream, data } of demultiplex(Readable.from(chunks))) frames.push(`${stream}:${data.toString()}`)
  expect(frames).toEqual(['stdout:out', 'stderr:', 'stderr:err\n', 'stdout:more'])
})
