/**
 * Directory trees as tars and back, for `docker cp` and `docker export`. Links are packed as links; on the way in
 * none is followed out of the directory that is unpacked into.
 *
 * A program in the container may work on the same files. So every directory is held while something is done in it
 * (snapshots/held-directory.ts): what such a program puts in the place of a name may be packed or overwritten in its
 * stead, but it leads to nothing outside. What has become something else between two looks is left out.
 */
import {
  chmodSync,
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  type Stats,
} from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { decompressed } from '@dinghy/images/files/compression'
import { entryComponents } from '@dinghy/images/files/scoped-path'
import { readTar, tarStream, type TarEntry, type TarHeader, type TarWriter } from '@dinghy/images/files/tar'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { HeldEntry, removeFrom, unlessReplaced, walkIn, type HeldDirectory } from '../snapshots/held-directory.ts'

/**
 * `entry` and what is below it, under `name`; `except` are names directly below it that are left out. Closes `entry`
 * at the end.
 */
export function packTree(
  entry: HeldEntry,
  name: string,
  except: ReadonlySet<string> = new Set(),
  signal?: AbortSignal,
): Readable {
  return tarStream(async (archive) => {
    try {
      await addEntry({ archive, links: new Map() }, entry, name, except)
    } finally {
      entry.close()
    }
  }, signal)
}

interface Packing {
  archive: TarWriter
  /** From an inode to the name under which it was packed first. */
  links: Map<string, string>
}

async function addEntry(packing: Packing, entry: HeldEntry, name: string, except: ReadonlySet<string>): Promise<void> {
  const stat = entry.stat()
  // A running container may have removed it in the meantime; sockets cannot be packed.
  if (stat === undefined || stat.isSocket()) return
  const header = headerOf(name, stat)
  if (stat.isDirectory()) return addDirectory(packing, entry, header, except)
  if (stat.isFile()) return addFile(packing, entry, name)
  if (!stat.isSymbolicLink()) return packing.archive.add({ ...header, ...deviceOf(stat) })
  const linkname = unlessReplaced(() => readlinkSync(entry.path))
  if (linkname !== undefined) await packing.archive.add({ ...header, type: 'symlink', linkname })
}

async function addDirectory(
  packing: Packing,
  entry: HeldEntry,
  header: TarHeader,
  except: ReadonlySet<string>,
): Promise<void> {
  const inner = unlessReplaced(() => entry.enter())
  if (inner === undefined) return
  const { name } = header
  try {
    if (name !== '') await packing.archive.add({ ...header, name: `${name}/`, type: 'directory' })
    for (const child of readdirSync(inner.path).toSorted()) {
      if (except.has(child)) continue
      await addEntry(packing, new HeldEntry(inner, child), name === '' ? child : `${name}/${child}`, new Set())
    }
  } finally {
    inner.close()
  }
}

async function addFile({ archive, links }: Packing, entry: HeldEntry, name: string): Promise<void> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const fd = unlessReplaced(() => openSync(entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  if (fd === undefined) return
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) return
    const header = headerOf(name, stat)
    const key = `${stat.dev}:${stat.ino}`
    const linkname = links.get(key)
    if (linkname !== undefined) return await archive.add({ ...header, type: 'link', linkname })
    if (stat.nlink > 1) links.set(key, name)
    const { size } = stat
    await archive.add({ ...header, size }, size === 0 ? undefined : Readable.from(exactly(fd, size)))
  } finally {
    closeSync(fd)
  }
}

/** As many bytes as the header says, however the file grows or shrinks meanwhile. */
async function* exactly(fd: number, size: number): AsyncGenerator<Buffer> {
  let sent = 0
  const options = { fd, autoClose: false, start: 0, end: size - 1 }
  for await (const chunk of createReadStream('', options) as AsyncIterable<Buffer>) {
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
  /** Whose everything becomes. Otherwise the owners are those that the archive names, as in moby. */
  owner?: Owner
}

export interface Owner {
  uid: number
  gid: number
}

/**
 * Unpacks a tar (compressed or not) into a directory. Directories on the way to an entry are made if they are
 * missing.
 */
export async function unpackInto(source: Readable, root: HeldDirectory, options: UnpackOptions): Promise<void> {
  const directories: TarHeader[] = []
  const { stream } = await decompressed(source)
  for await (const entry of readTar(stream)) {
    const place = placeOf(root, entry.header.name, true)
    try {
      await unpackEntry(entry, place, root, options)
    } finally {
      place.close()
    }
    if (entry.header.type === 'directory') directories.push(entry.header)
  }
  // Last, because every file that was put into them changed their times.
  for (const { name, mtime } of directories.toReversed()) {
    const place = placeOf(root, name, false)
    try {
      const directory = unlessReplaced(() => place.enter())
      if (directory === undefined) continue
      utimesSync(`${directory.path}/.`, mtime, mtime)
      directory.close()
    } finally {
      place.close()
    }
  }
}

function placeOf(root: HeldDirectory, name: string, makeMissing: boolean): HeldEntry {
  const path = entryComponents(name.replace(/^\/+/, '')).join('/')
  return walkIn(root.again(), path, { followLast: false, makeMissing })
}

async function unpackEntry(
  { header, body }: TarEntry,
  place: HeldEntry,
  root: HeldDirectory,
  options: UnpackOptions,
): Promise<void> {
  makeRoom(header, place, options)
  const owner = process.getuid?.() === 0 ? userNamespace().ownerOf(options.owner ?? header) : undefined
  const { mode, mtime } = header
  switch (header.type) {
    case 'directory': {
      if (place.stat() === undefined) mkdirSync(place.path)
      const directory = place.enter()
      // With the dot it is the directory, without it the descriptor's link.
      if (owner !== undefined) lchownSync(`${directory.path}/.`, owner.uid, owner.gid)
      chmodSync(`${directory.path}/.`, mode)
      directory.close()
      return
    }
    case 'symlink':
      symlinkSync(header.linkname ?? '', place.path)
      if (owner !== undefined) lchownSync(place.path, owner.uid, owner.gid)
      return
    case 'link': {
      const target = placeOf(root, header.linkname ?? '', false)
      try {
        linkSync(target.path, place.path)
      } finally {
        target.close()
      }
      return
    }
    case 'file': {
      const { O_WRONLY, O_CREAT, O_EXCL } = constants
      const fd = openSync(place.path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
      try {
        await pipeline(body, createWriteStream('', { fd, autoClose: false }))
        if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid)
        fchmodSync(fd, mode)
        futimesSync(fd, mtime, mtime)
      } finally {
        closeSync(fd)
      }
      return
    }
    default: // devices and FIFOs are left out
  }
}

function makeRoom(header: TarHeader, place: HeldEntry, { keepTypes }: UnpackOptions): void {
  const existing = place.stat()
  const isDirectory = header.type === 'directory'
  if (existing === undefined || (isDirectory && existing.isDirectory())) return
  if (keepTypes && existing.isDirectory() !== isDirectory) {
    const kind = (directory: boolean) => (directory ? 'directory' : 'non-directory')
    throw new Error(
      `cannot overwrite ${kind(existing.isDirectory())} "${place.name}" with ${kind(isDirectory)} "${header.name}"`,
    )
  }
  removeFrom(place.directory, place.name)
}
