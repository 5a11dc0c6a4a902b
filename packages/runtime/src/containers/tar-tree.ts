/**
 * Directory trees as tars and back, for `docker cp` and `docker export`. Links are packed as links; on the way in none
 * is followed out of the directory that is unpacked into.
 */
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { decompressed } from '@dinghy/images/files/compression'
import { entryComponents, resolveBeneath } from '@dinghy/images/files/scoped-path'
import { readTar, tarStream, type TarEntry, type TarHeader, type TarWriter } from '@dinghy/images/files/tar'
import { userNamespace } from '@dinghy/images/files/user-namespace'

/** `path` and what is below it, under `name`; `except` are names directly below it that are left out. */
export function packTree(
  path: string,
  name: string,
  except: ReadonlySet<string> = new Set(),
  signal?: AbortSignal,
): Readable {
  return tarStream((archive) => addEntry(archive, path, name, new Map(), except), signal)
}

/** `links` maps an inode to the name under which it was packed first. */
async function addEntry(
  archive: TarWriter,
  path: string,
  name: string,
  links: Map<string, string>,
  except: ReadonlySet<string>,
): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  // A running container may have removed it in the meantime; sockets cannot be packed.
  if (stat === undefined || stat.isSocket()) return
  const header = headerOf(name, stat)
  if (stat.isSymbolicLink()) return archive.add({ ...header, type: 'symlink', linkname: readlinkSync(path) })
  if (stat.isFile()) return addFile(archive, path, stat, header, links)
  if (!stat.isDirectory()) return archive.add({ ...header, ...deviceOf(stat) })
  if (name !== '') await archive.add({ ...header, name: `${name}/`, type: 'directory' })
  for (const child of readdirSync(path).toSorted()) {
    if (except.has(child)) continue
    await addEntry(archive, join(path, child), name === '' ? child : `${name}/${child}`, links, new Set())
  }
}

async function addFile(
  archive: TarWriter,
  path: string,
  stat: Stats,
  header: TarHeader,
  links: Map<string, string>,
): Promise<void> {
  const key = `${stat.dev}:${stat.ino}`
  const linkname = links.get(key)
  if (linkname !== undefined) return archive.add({ ...header, type: 'link', linkname })
  if (stat.nlink > 1) links.set(key, header.name)
  const { size } = stat
  await archive.add({ ...header, size }, size === 0 ? undefined : Readable.from(exactly(path, size)))
}

/** As many bytes as the header says, however the file grows or shrinks meanwhile. */
async function* exactly(path: string, size: number): AsyncGenerator<Buffer> {
  let sent = 0
  for await (const chunk of createReadStream(path, { end: size - 1 }) as AsyncIterable<Buffer>) {
    sent += chunk.length
    yield chunk
  }
  if (sent < size) yield Buffer.alloc(size - sent)
}

function headerOf(name: string, stat: Stats): TarHeader {
  const { uid, gid, mtime } = stat
  return { name, type: 'file', mode: stat.mode & 0o7777, uid, gid, mtime, size: 0 }
}

function deviceOf(stat: Stats): Pick<TarHeader, 'type' | 'devmajor' | 'devminor'> {
  if (stat.isFIFO()) return { type: 'fifo' }
  return {
    type: stat.isBlockDevice() ? 'block-device' : 'character-device',
    devmajor: (stat.rdev >> 8) & 0xfff,
    devminor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
  }
}

export interface UnpackOptions {
  /** Refuse to put a directory in the place of a file, and the other way round. */
  keepTypes: boolean
  owners: 'archive' | 'root'
}

/** Unpacks a tar (compressed or not) into a directory. */
export async function unpackInto(source: Readable, directory: string, options: UnpackOptions): Promise<void> {
  const directories: { path: string; header: TarHeader }[] = []
  const { stream } = await decompressed(source)
  for await (const entry of readTar(stream)) {
    const { header } = entry
    const path = resolveBeneath(directory, entryComponents(header.name.replace(/^\/+/, '')), 'keep')
    await place(entry, path, directory, options)
    if (header.type === 'directory') directories.push({ path, header })
  }
  // Last, because every file that was put into them changed their times.
  for (const { path, header } of directories.reverse()) utimesSync(path, header.mtime, header.mtime)
}

async function place({ header, body }: TarEntry, path: string, root: string, options: UnpackOptions): Promise<void> {
  makeRoom(header, path, options)
  makeDirectories(dirname(path))
  switch (header.type) {
    case 'directory':
      makeDirectories(path)
      break
    case 'symlink':
      symlinkSync(header.linkname ?? '', path)
      break
    case 'link':
      linkSync(resolveBeneath(root, entryComponents((header.linkname ?? '').replace(/^\/+/, '')), 'keep'), path)
      return
    case 'file':
      await pipeline(body, createWriteStream(path, { mode: 0o600 }))
      break
    default:
      return // devices and FIFOs are left out
  }
  if (process.getuid?.() === 0) {
    const { uid, gid } = userNamespace().ownerOf(options.owners === 'archive' ? header : { uid: 0, gid: 0 })
    lchownSync(path, uid, gid)
  }
  if (header.type === 'symlink') return
  chmodSync(path, header.mode)
  utimesSync(path, header.mtime, header.mtime)
}

/**
 * One level after the other. Node's own `recursive` tries for ever where the kernel answers ENOENT although the parent
 * is there, as some file systems of containers do.
 */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  makeDirectories(dirname(path))
  mkdirSync(path)
}

function makeRoom(header: TarHeader, path: string, { keepTypes }: UnpackOptions): void {
  const existing = lstatSync(path, { throwIfNoEntry: false })
  const isDirectory = header.type === 'directory'
  if (existing === undefined || (isDirectory && existing.isDirectory())) return
  if (keepTypes && existing.isDirectory() !== isDirectory) {
    const kind = (directory: boolean) => (directory ? 'directory' : 'non-directory')
    throw new Error(
      `cannot overwrite ${kind(existing.isDirectory())} "${path}" with ${kind(isDirectory)} "${header.name}"`,
    )
  }
  rmSync(path, { recursive: true, force: true })
}
