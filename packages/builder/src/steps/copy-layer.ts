/**
 * A planned COPY as a layer, and as the digest that the build cache compares.
 *
 * The digest covers what a container could notice: names, kinds, modes, owners, link targets and content. Times are
 * left out, as in Docker: a fresh checkout of the same files must hit the cache.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { createReadStream, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { headerOf } from '@dinghy/images/layers/layer-diff'
import type { LayerView } from '@dinghy/images/layers/layer-view'
import type { TarHeader, TarWriter } from '@dinghy/images/files/tar'
import { tarStream } from '@dinghy/images/files/tar'
import type { CopyItem } from './copy-plan.ts'
import type { Owner } from './owner.ts'

export interface CopyAttributes {
  /** `--chown`. */
  owner: Owner | undefined
  mode: number | undefined
  /** Time of directories that have to be made. */
  now: Date
}

/** Hexadecimal. */
export async function copyDigest(items: readonly CopyItem[], attributes: CopyAttributes): Promise<string> {
  const hash = createHash('sha256')
  for (const item of items) {
    const header = itemHeader(item, attributes)
    const { type, mode, uid, gid, linkname } = header
    hash.update(JSON.stringify([item.target, type, mode, uid, gid, linkname ?? null]))
    if (header.type === 'file') await hashContent(item, header, hash)
  }
  return hash.digest('hex')
}

/** `image` is what the layer will lie upon: existing directories on the way keep their attributes. */
export function copyLayer(
  items: readonly CopyItem[],
  attributes: CopyAttributes,
  image: LayerView,
  signal?: AbortSignal,
): Readable {
  return tarStream(async (archive) => {
    const written = new Set<string>(['/'])
    for (const item of items) {
      await addParents(posix.dirname(item.target), archive, written, attributes, image)
      if (item.target === '/' || (written.has(item.target) && isDirectory(item.source))) continue
      written.add(item.target)
      const header = itemHeader(item, attributes)
      if (header.type !== 'file' || item.source === 'new-directory') await archive.add(header)
      else if ('content' in item.source) await archive.add(header, item.source.content)
      else await archive.add(header, fileContent(item.source.hostPath, header.size))
    }
  }, signal)
}

async function addParents(
  path: string,
  archive: TarWriter,
  written: Set<string>,
  attributes: CopyAttributes,
  image: LayerView,
): Promise<void> {
  if (written.has(path)) return
  await addParents(posix.dirname(path), archive, written, attributes, image)
  written.add(path)
  await archive.add(directoryHeader(path, attributes, image))
}

/** A directory of the image as it is, or a new one. */
export function directoryHeader(path: string, { owner, now }: CopyAttributes, image: LayerView): TarHeader {
  const existing = image.lookup(path)
  if (existing) return headerOf(path, existing.stat)
  return newDirectoryHeader(path, owner, now)
}

function newDirectoryHeader(path: string, owner: Owner | undefined, mtime: Date): TarHeader {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 }
  return { name: `${path.slice(1)}/`, type: 'directory', mode: 0o755, uid, gid, size: 0, mtime }
}

export function isDirectory(source: CopyItem['source']): boolean {
  return source === 'new-directory' || ('stat' in source && source.stat.isDirectory())
}

function itemHeader({ target, source, keepsOwner }: CopyItem, { owner, mode, now }: CopyAttributes): TarHeader {
  if (source === 'new-directory') return newDirectoryHeader(target, owner, now)
  const header =
    'content' in source
      ? {
          name: target.slice(1),
          type: 'file' as const,
          mode: source.mode,
          uid: 0,
          gid: 0,
          size: source.content.length,
          mtime: source.modifiedAt,
        }
      : headerOf(target, source.stat, source.stat.isSymbolicLink() ? readlinkSync(source.hostPath) : undefined)
  const owned = owner ?? (keepsOwner ? {} : { uid: 0, gid: 0 })
  return { ...header, ...owned, ...(mode !== undefined && header.type !== 'symlink' ? { mode } : {}) }
}

async function hashContent({ source }: CopyItem, { size }: TarHeader, hash: Hash): Promise<void> {
  if (source === 'new-directory') return
  if ('content' in source) hash.update(source.content)
  else for await (const chunk of fileContent(source.hostPath, size) ?? []) hash.update(chunk as Buffer)
}

function fileContent(path: string, size: number): Readable | undefined {
  return size > 0 ? createReadStream(path, { end: size - 1 }) : undefined
}
