/**
 * Reading compressed streams by looking at their first bytes, as Docker does for layers, build contexts and ADD:
 * media types and file names lie, magic numbers do not.
 *
 * gzip is Node's own. zstd is Node's own from 22.15; before that, like bzip2 and xz always, it is the machine's
 * program of that name, and an error that says so when there is none.
 */
import { spawn } from 'node:child_process'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'

export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd'

const MAGIC: [Exclude<Compression, 'none'>, Buffer][] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['bzip2', Buffer.from([0x42, 0x5a, 0x68])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
]
const LONGEST_MAGIC = 6

/** Newer Nodes only, and therefore not in the type definitions of Node 20. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => NodeJS.ReadWriteStream }

export function detectCompression(head: Buffer): Compression {
  return MAGIC.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'none'
}

/** The plain bytes of `source`, whatever it is compressed with. An error of either end surfaces on the result. */
export async function decompressed(
  source: Readable,
  signal?: AbortSignal,
): Promise<{ stream: Readable; compression: Compression }> {
  const head = await peek(source, LONGEST_MAGIC)
  const compression = detectCompression(head)
  if (compression === 'none') return { stream: source, compression }
  return { stream: decompressor(compression, source, signal), compression }
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
  const child = spawn(program, ['-d', '-c'], { stdio: ['pipe', 'pipe', 'ignore'], ...(signal && { signal }) })
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

/** At least `bytes` bytes from the beginning, if there are, put back so that the next reader sees the whole stream. */
export async function peek(source: Readable, bytes: number): Promise<Buffer> {
  let head = Buffer.alloc(0)
  while (head.length < bytes) {
    const chunk = (await nextChunk(source)) as Buffer | undefined
    if (chunk === undefined) break
    head = Buffer.concat([head, chunk])
  }
  if (head.length > 0) source.unshift(head)
  return head
}

function nextChunk(source: Readable): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      const chunk: unknown = source.read()
      if (chunk === null && !source.readableEnded && !source.destroyed) return
      stop()
      resolve(chunk ?? undefined)
    }
    const fail = (error: Error): void => {
      stop()
      reject(error)
    }
    const stop = (): void => {
      source.off('readable', settle).off('end', settle).off('error', fail)
    }
    source.on('readable', settle).on('end', settle).on('error', fail)
    if (source.readableEnded || source.destroyed) settle()
  })
}
