import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readTar, tarStream } from './tar.ts'

const header = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) } as const

async function archive(...files: [name: string, content: string][]): Promise<Buffer> {
  const stream = tarStream(async (tar) => {
    for (const [name, content] of files) await tar.add({ ...header, name, size: content.length }, Buffer.from(content))
  })
  return Buffer.concat((await stream.toArray()) as Buffer[])
}

async function read(bytes: Buffer): Promise<[string, string][]> {
  const files: [string, string][] = []
  for await (const entry of readTar(Readable.from([bytes]))) {
    let text = ''
    for await (const chunk of entry.body) text += String(chunk)
    files.push([entry.header.name, text])
  }
  return files
}

const block = 512
const files: [string, string][] = [
  ['a', 'x'.repeat(600)],
  ['b', 'end'],
]

test('what is written is read', async () => {
  expect(await read(await archive(...files))).toEqual(files)
})

test('the end of the archive and of the last block may be missing', async () => {
  const whole = await archive(...files)
  // Header and two blocks of `a`, header of `b`.
  const content = 4 * block
  expect(await read(whole.subarray(0, content + block))).toEqual(files)
  expect(await read(whole.subarray(0, content + 'end'.length))).toEqual(files)
})

test.each([
  ['the last file', 4 * block + 2],
  ['a file before it', 2 * block + 3],
  ['a header', 3 * block + 100],
])('an archive that ends within %s is an error', async (_where, length) => {
  await expect(read((await archive(...files)).subarray(0, length))).rejects.toThrow()
})

test('an archive that ends within a file is an error for those who read no bodies, too', async () => {
  const bytes = (await archive(...files)).subarray(0, 4 * block + 2)
  const names = async () => {
    const seen: string[] = []
    for await (const entry of readTar(Readable.from([bytes]))) seen.push(entry.header.name)
    return seen
  }
  await expect(names()).rejects.toThrow('Unexpected end of data')
})
