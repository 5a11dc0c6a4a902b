/**
 * Reading compressed streams by looking at their first bytes, as Docker does for layers, build contexts and ADD:
 * media types and file names lie, magic numbers do not.
 *
 * gzip is Node's own. zstd is Node's own from 22.15; before that, like bzip2 and xz always, it is the machine's
 * program of that name, and an error that says so when there is none.
 */
import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'

type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd'

const magicBytes: [Exclude<Compression, 'none'>, Buffer][] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['bzip2', Buffer.from([0x42, 0x5a, 0x68])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
]
const longestMagic = 6

/** Newer Nodes only, and therefore not in the type definitions of Node 20. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream }

export function detectCompression(head: Buffer): Compression {
  return magicBytes.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'none'
}

/** The plain bytes of `source`, whatever it is compressed with. An error of either end surfaces on the result. */
export async function decompressed(
  source: Readable,
  signal?: AbortSignal,
): Promise<{ stream: Readable; compression: Compression }> {
  const { head, stream } = await peek(source, longestMagic)
  const compression = detectCompression(head)
  if (compression === 'none') return { stream, compression }
  return { stream: decompressor(compression, stream, signal), compression }
}

function decompressor(compression: Exclude<Compression, 'none'>, source: Readable, signal?: AbortSignal): Readable {
  const output = new PassThrough()
  const fail = (error: unknown): void => void output.destroy(error instanceof Error ? error : new Error(String(error)))
  if (compression === 'gzip') pipeline(source, zlib.createGunzip(), output, { signal }).catch(fail)
  else if (compression === 'zstd' && createZstdDecompress) {
    pipeline(source, createZstdDecompress(), output, { signal }).catch(fail)
  } else runProgram(compression, source, output, signal).catch(fail)
  return output
}

async function runProgram(program: string, source: Readable, output: PassThrough, signal?: AbortSignal): Promise<void> {
  const child = spawn(program, ['-d', '-c'], { stdio: ['pipe', 'pipe', 'ignore'], ...(signal ? { signal } : {}) })
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`cannot read ${program} data: this machine has no ${program}`) : error)
    })
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${program} failed with exit code ${code}`))
    })
  })
  // The program's end decides; a broken pipe towards it is only the echo of its failure.
  const feeding = pipeline(source, child.stdin).catch(() => undefined)
  await Promise.all([exited, feeding, pipeline(child.stdout, output, { end: false })])
  output.end()
}

/**
 * At least `bytes` bytes from the beginning, if there are that many, and the whole stream once more. It takes the place
 * of `source`: destroying it destroys the source, and the source's errors are its own.
 */
export async function peek(source: Readable, bytes: number): Promise<{ head: Buffer; stream: Readable }> {
  const chunks = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const taken: Buffer[] = []
  for (let size = 0; size < bytes;) {
    const next = await chunks.next()
    if (next.done) break
    taken.push(next.value)
    size += next.value.length
  }
  async function* again(): AsyncGenerator<Buffer, void, undefined> {
    yield* taken
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  const stream = Readable.from(again(), { objectMode: false })
  // A generator that was never begun does not end its source when it is dropped.
  stream.once('close', () => source.destroy())
  return { head: Buffer.concat(taken), stream }
}
