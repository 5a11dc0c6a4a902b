/**
 * The content store: blobs named by the SHA-256 of their bytes, laid out as in the OCI image layout
 * (`blobs/sha256/<hex>`).
 *
 * A blob that exists is complete and correct: bytes are hashed on the way into a temporary file, which is renamed
 * into place only when the digest is what was asked for. Two processes writing the same blob write the same bytes,
 * so whoever renames last changes nothing. There is no fsync: a blob lost in a power cut is pulled or built again.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

interface StoredBlob {
  digest: string
  size: number
}

export class DigestMismatchError extends Error {}
class BlobTooLargeError extends Error {}

const digestPattern = /^sha256:([0-9a-f]{64})$/

export class ContentStore {
  readonly #blobs: string
  readonly #temporary: string

  constructor(root: string) {
    this.#blobs = join(root, 'blobs', 'sha256')
    this.#temporary = join(root, 'tmp')
    mkdirSync(this.#blobs, { recursive: true })
    mkdirSync(this.#temporary, { recursive: true })
  }

  /** What a killed process has not finished writing. Only for the one that has the store for itself. */
  removeUnfinished(): void {
    for (const name of readdirSync(this.#temporary))
      rmSync(join(this.#temporary, name), { recursive: true, force: true })
  }

  /** Where the blob is, or would be. Refuses anything but a SHA-256 digest, so a digest can never name another file. */
  path(digest: string): string {
    return join(this.#blobs, hexOf(digest))
  }

  async size(digest: string): Promise<number | undefined> {
    return stat(this.path(digest)).then(
      ({ size }) => size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      },
    )
  }

  async has(digest: string): Promise<boolean> {
    return (await this.size(digest)) !== undefined
  }

  /** Small content: configs and manifests. Reading those is quicker than asking the thread pool to do it. */
  async read(digest: string): Promise<Buffer> {
    return readFileSync(this.path(digest))
  }

  stream(digest: string): Readable {
    return createReadStream(this.path(digest))
  }

  /** Stores small content that is already in memory: configs and manifests. */
  async write(bytes: Buffer): Promise<StoredBlob> {
    const digest = digestOf(bytes)
    if (!existsSync(this.path(digest))) {
      const temporary = this.temporaryPath()
      writeFileSync(temporary, bytes)
      renameSync(temporary, this.path(digest))
    }
    return { digest, size: bytes.length }
  }

  /** Stores a stream. Throws DigestMismatchError or BlobTooLargeError, and then leaves nothing behind. */
  async writeStream(
    source: Readable,
    expected: { digest?: string; maxBytes?: number } = {},
    signal?: AbortSignal,
  ): Promise<StoredBlob> {
    const temporary = this.temporaryPath()
    const meter = new DigestMeter(expected.maxBytes)
    try {
      await pipeline(source, meter, createWriteStream(temporary), { signal })
      const { digest, size } = meter.result()
      if (expected.digest !== undefined && digest !== expected.digest) {
        throw new DigestMismatchError(`unexpected digest ${digest}: wanted ${expected.digest}`)
      }
      await rename(temporary, this.path(digest))
      return { digest, size }
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true })
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#blobs)).map((hex) => `sha256:${hex}`)
  }

  /** A fresh path on the same file system, for content whose name is not known yet. */
  temporaryPath(): string {
    return join(this.#temporary, randomUUID())
  }
}

/** Passes bytes through and knows their digest and count. */
export class DigestMeter extends Transform {
  readonly #hash = createHash('sha256')
  readonly #maxBytes: number
  #size = 0

  constructor(maxBytes = Infinity) {
    super()
    this.#maxBytes = maxBytes
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error | null, data?: Buffer) => void): void {
    this.#size += chunk.length
    if (this.#size > this.#maxBytes) {
      done(new BlobTooLargeError(`content is larger than ${this.#maxBytes} bytes`))
      return
    }
    this.#hash.update(chunk)
    done(null, chunk)
  }

  /** Once, after the stream has ended. */
  result(): StoredBlob {
    return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size }
  }
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function isDigest(text: string): boolean {
  return digestPattern.test(text)
}

export function hexOf(digest: string): string {
  const hex = digestPattern.exec(digest)?.[1]
  if (hex === undefined) throw new DigestMismatchError(`invalid digest ${JSON.stringify(digest)}`)
  return hex
}
