/**
 * Tar streams, in the two shapes the image code wants: an async iterable of entries, and a writer that waits.
 *
 * The one file that knows tar-stream, loaded only when the first archive is touched. Headers are what the archive
 * says: nothing here is checked (layer-apply.ts does), except that every entry has a type we know.
 */
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Header, Pack } from 'tar-stream'

type TarType = 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo'

export interface TarHeader {
  name: string
  type: TarType
  /** Permission bits with setuid, setgid and sticky. */
  mode: number
  uid: number
  gid: number
  size: number
  mtime: Date
  /** Of symbolic and hard links. */
  linkname?: string
  devmajor?: number
  devminor?: number
  /** Extended attributes, from pax records `SCHILY.xattr.*`. */
  xattrs?: Record<string, string>
}

export interface TarEntry {
  header: TarHeader
  /** Read it or leave it, but before the next entry is asked for. */
  body: AsyncIterable<Buffer>
}

const xattrPrefix = 'SCHILY.xattr.'

const blockBytes = 512

/**
 * The entries of an uncompressed tar, in order. The last one may lack the zeros that fill its block, as in what the
 * docker CLI sends for `build -f` with a Dockerfile from elsewhere; its content may not.
 */
export async function* readTar(source: Readable, signal?: AbortSignal): AsyncGenerator<TarEntry, void, undefined> {
  const { extract } = await import('tar-stream')
  const archive = extract()
  let received = 0
  let lastByte = 0
  const filled = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      received += chunk.length
      yield chunk
    }
    if (received % blockBytes > 0) yield Buffer.alloc(blockBytes - (received % blockBytes))
  }
  const feeding = pipeline(source, filled, archive, { signal })
  // The iterator below throws the same error; without this the rejection would be reported a second time, unhandled.
  const fed = feeding.then(
    () => undefined,
    (error: unknown) => error,
  )
  for await (const entry of archive) {
    const header = readHeader(entry.header)
    yield { header, body: entry as AsyncIterable<Buffer> }
    entry.resume()
    const { byteOffset } = entry.header as Header & { byteOffset: number }
    // What has been read as content must have been sent, and not be our zeros.
    lastByte = byteOffset + header.size
  }
  const error = await fed
  if (error !== undefined) throw error
  if (lastByte > received) throw new Error('Unexpected end of data')
}

/** Writes a tar to `output`, entry after entry, no faster than it is read. */
export class TarWriter {
  readonly #pack: Pack
  readonly #delivered: Promise<void>

  private constructor(pack: Pack, output: Writable, signal: AbortSignal | undefined) {
    this.#pack = pack
    this.#delivered = pipeline(pack, output, { signal })
    // Reported by finish(); a writer that fails earlier rejects the entry being written.
    this.#delivered.catch(() => undefined)
  }

  static async to(output: Writable, signal?: AbortSignal): Promise<TarWriter> {
    const { pack } = await import('tar-stream')
    return new TarWriter(pack(), output, signal)
  }

  async add(header: TarHeader, content?: Buffer | Readable): Promise<void> {
    const { xattrs, ...plain } = header
    const pax = xattrs && Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [xattrPrefix + name, value]))
    const written = { ...plain, ...(pax ? { pax } : {}) }
    if (content === undefined || Buffer.isBuffer(content)) {
      this.#pack.entry(written, content ?? Buffer.alloc(0))
      return
    }
    const entry = this.#pack.entry(written)
    // Whoever reads the archive may be gone: then the entry never drains, and only #delivered knows.
    await Promise.race([pipeline(content, entry), this.#delivered.then(() => finished(entry))])
  }

  async finish(): Promise<void> {
    this.#pack.finalize()
    await this.#delivered
  }
}

/** A tar as a stream: `write` adds the entries while the result is being read. */
export function tarStream(write: (archive: TarWriter) => Promise<void>, signal?: AbortSignal): Readable {
  const output = new PassThrough()
  const writing = async (): Promise<void> => {
    const archive = await TarWriter.to(output, signal)
    await write(archive)
    await archive.finish()
  }
  writing().catch((error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))))
  return output
}

const types: Record<string, TarType> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'link',
  'character-device': 'character-device',
  'block-device': 'block-device',
  fifo: 'fifo',
}

function readHeader(raw: Header): TarHeader {
  const type = types[raw.type]
  if (type === undefined) throw new Error(`unsupported tar entry type ${raw.type} for ${raw.name}`)
  const xattrs = Object.entries((raw.pax ?? {}) as Record<string, string>).filter(([name]) =>
    name.startsWith(xattrPrefix),
  )
  return {
    name: raw.name,
    type,
    mode: raw.mode & 0o7777,
    uid: raw.uid,
    gid: raw.gid,
    size: type === 'file' ? raw.size : 0,
    mtime: raw.mtime,
    ...((type === 'symlink' || type === 'link') && { linkname: raw.linkname }),
    ...(type.endsWith('device') ? { devmajor: raw.devmajor, devminor: raw.devminor } : {}),
    ...(xattrs.length > 0
      ? {
          xattrs: Object.fromEntries(xattrs.map(([name, value]) => [name.slice(xattrPrefix.length), value])),
        }
      : {}),
  }
}
