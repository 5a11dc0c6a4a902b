/**
 * Turns what a container changed into a layer: a tar with the changed files and `.wh.` files for the deleted ones.
 *
 * The same changes give the same bytes: entries are sorted, users and groups are numbers, times are whole seconds.
 * Directories on the way to a change are entries too, or unpacking would invent their owners and modes.
 * Sockets are left out, as Docker does: they mean nothing without the process behind them.
 */
import { createReadStream, lstatSync, readlinkSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TarHeader, TarWriter } from '../files/tar.ts'
import { tarStream } from '../files/tar.ts'
import type { Change } from './snapshotter.ts'
import { whiteoutPrefix } from './whiteout.ts'

/** `hostDirectory` tells where a directory of the container can be read on this machine. */
export function diffLayer(
  changes: readonly Change[],
  hostDirectory: (path: string) => Promise<string>,
  signal?: AbortSignal,
): Readable {
  return tarStream(async (archive) => {
    const writer = new DiffWriter(archive, hostDirectory)
    for (const change of [...changes].sort((a, b) => compareBytes(a.path, b.path))) await writer.add(change)
  }, signal)
}

class DiffWriter {
  readonly #archive: TarWriter
  readonly #hostDirectory: (path: string) => Promise<string>
  readonly #directories = new Map<string, string>()
  readonly #written = new Set<string>(['/'])
  /** First path of each file with several names, by device and inode. */
  readonly #inodes = new Map<string, string>()

  constructor(archive: TarWriter, hostDirectory: (path: string) => Promise<string>) {
    this.#archive = archive
    this.#hostDirectory = hostDirectory
  }

  async add({ path, kind }: Change): Promise<void> {
    await this.#addParents(dirname(path))
    if (kind === 'delete') {
      const name = join(dirname(path), whiteoutPrefix + basename(path)).slice(1)
      await this.#archive.add({ name, type: 'file', mode: 0o600, uid: 0, gid: 0, size: 0, mtime: new Date(0) })
    } else await this.#addPath(path)
  }

  async #addParents(path: string): Promise<void> {
    if (this.#written.has(path)) return
    await this.#addParents(dirname(path))
    await this.#addPath(path)
  }

  async #addPath(path: string): Promise<void> {
    if (this.#written.has(path)) return
    this.#written.add(path)
    const parent = dirname(path)
    let directory = this.#directories.get(parent)
    if (directory === undefined) {
      directory = await this.#hostDirectory(parent)
      this.#directories.set(parent, directory)
    }
    const hostPath = join(directory, basename(path))
    const stat = lstatSync(hostPath)
    if (stat.isSocket()) return

    const inode = `${stat.dev}:${stat.ino}`
    const first = stat.isFile() && stat.nlink > 1 ? this.#inodes.get(inode) : undefined
    if (first !== undefined) {
      await this.#archive.add({ ...headerOf(path, stat), type: 'link', size: 0, linkname: first.slice(1) })
      return
    }
    if (stat.isFile() && stat.nlink > 1) this.#inodes.set(inode, path)
    const header = headerOf(path, stat, stat.isSymbolicLink() ? readlinkSync(hostPath) : undefined)
    // A file that grows while it is read must not break the archive.
    const content = header.size > 0 ? createReadStream(hostPath, { end: header.size - 1 }) : undefined
    await this.#archive.add(header, content)
  }
}

/** The tar header of a file of this machine at an absolute path of the container. */
export function headerOf(path: string, stat: Stats, linkname?: string): TarHeader {
  const type = typeOf(stat)
  return {
    name: path.slice(1) + (type === 'directory' ? '/' : ''),
    type,
    mode: stat.mode & 0o7777,
    ...ownerOf(stat),
    size: type === 'file' ? stat.size : 0,
    mtime: new Date(Math.floor(stat.mtimeMs / 1000) * 1000),
    ...(linkname !== undefined ? { linkname } : {}),
    ...(type.endsWith('device') && deviceNumbers(stat.rdev)),
  }
}

/** Who runs the runtime without root's powers plays root in its containers. */
function ownerOf(stat: Stats): { uid: number; gid: number } {
  return process.getuid?.() === 0 ? { uid: stat.uid, gid: stat.gid } : { uid: 0, gid: 0 }
}

function typeOf(stat: Stats): TarHeader['type'] {
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isBlockDevice()) return 'block-device'
  if (stat.isCharacterDevice()) return 'character-device'
  return 'file'
}

/** As Linux packs them: 12 bits of major between 8 and 12 further bits of minor. */
function deviceNumbers(rdev: number): { devmajor: number; devminor: number } {
  return { devmajor: (rdev >>> 8) & 0xfff, devminor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) }
}

/** By code unit: unlike localeCompare, the same on every machine. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
