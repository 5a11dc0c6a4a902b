/**
 * Unpacks one layer's tar (or a plain archive) into a directory of its own.
 *
 * The tar is a stranger's. Whatever it holds, nothing is read, written, linked or changed outside `directory`:
 * names must be relative and may not climb, symbolic links may point anywhere but are resolved inside the directory
 * when they are on the way to an entry, hard links must point at something in it. The amount of data and the number of
 * entries are limited. Docker gets the same by unpacking inside a chroot; without one we check, entry by entry, before
 * touching the disk.
 *
 * The directory must be new, empty and known to nobody else until this is done: rename it into place afterwards.
 */
import {
  chmodSync,
  closeSync,
  constants,
  futimesSync,
  linkSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import type { Readable } from 'node:stream'
import { userNamespace } from '../files/user-namespace.ts'
import { entryComponents, PathEscapeError, resolveBeneath } from '../files/scoped-path.ts'
import type { TarEntry, TarHeader } from '../files/tar.ts'
import { readTar } from '../files/tar.ts'
import { makeDevice, opaqueMarker, opaqueXattr, whiteoutMetaPrefix, whiteoutPrefix } from './whiteout.ts'
import type { WhiteoutDevices } from './whiteout.ts'
import type { WantedXattrs } from '../files/xattrs.ts'
import { setXattrs, XattrsRefusedError } from '../files/xattrs.ts'

interface ApplyOptions {
  /** Devices of the 'overlay' style; without them whiteouts stay `.wh.` files. See whiteout.ts. */
  whiteouts?: WhiteoutDevices
  /**
   * Keep owners, set-id bits and device nodes: root on Linux. Otherwise everything belongs to this user. Root of a user
   * namespace keeps the owners that exist there and leaves device nodes out, as rootless Docker does.
   */
  privileged: boolean
  /**
   * An ordinary archive (a build context, ADD): `.wh.` names mean nothing and a leading slash is dropped, as tar does.
   */
  isPlainArchive?: boolean
  limits?: ApplyLimits
}

export interface ApplyLimits {
  bytes: number
  entries: number
}

interface AppliedLayer {
  /** Bytes of file content. */
  size: number
  /** Directories (relative, sorted) that hide what lower layers hold in them. */
  opaque: string[]
}

export class InvalidLayerError extends Error {}

/** Far above any real layer, far below a disk: what stops a decompression bomb. */
export const defaultLimits: ApplyLimits = { bytes: 64 * 2 ** 30, entries: 4_000_000 }

/** Throws PathEscapeError or InvalidLayerError for a tar that no layer may be, leaving `directory` half filled. */
export async function applyLayer(
  tar: Readable,
  directory: string,
  options: ApplyOptions,
  signal?: AbortSignal,
): Promise<AppliedLayer> {
  await options.whiteouts?.prepare()
  const unpacking = new Unpacking(directory, options)
  for await (const entry of readTar(tar, signal)) await unpacking.add(entry)
  return unpacking.finish()
}

class Unpacking {
  readonly #root: string
  readonly #options: ApplyOptions
  readonly #limits: ApplyLimits
  #bytes = 0
  #entries = 0
  /** Host paths of whiteouts placed so far: a later entry of the same name replaces, and hides, the lower one. */
  readonly #whiteouts = new Set<string>()
  readonly #opaque = new Set<string>()
  /** Modes and times of directories wait until nothing is written into them any more. */
  readonly #directories = new Map<string, TarHeader>()
  readonly #xattrs: WantedXattrs[] = []

  constructor(root: string, options: ApplyOptions) {
    this.#root = root
    this.#options = options
    this.#limits = options.limits ?? defaultLimits
  }

  async add({ header, body }: TarEntry): Promise<void> {
    this.#count(header)
    const { isPlainArchive = false } = this.#options
    const components = entryComponents(isPlainArchive ? header.name.replace(/^\/+/, '') : header.name)
    const name = components.at(-1)
    if (name === undefined) {
      if (header.type !== 'directory') throw new InvalidLayerError(`invalid layer: the root is a ${header.type}`)
      this.#directories.set(this.#root, header)
      return
    }
    const parent = resolveBeneath(this.#root, components.slice(0, -1))
    mkdirSync(parent, { recursive: true, mode: 0o755 })

    if (name.startsWith(whiteoutPrefix) && !isPlainArchive) this.#addWhiteout(parent, name)
    else await this.#addFile(join(parent, name), header, body)
  }

  async finish(): Promise<AppliedLayer> {
    const opaque = [...this.#opaque].map((path) => relative(this.#root, path)).sort()
    if (this.#options.whiteouts === undefined) {
      for (const path of this.#opaque) writeFileSync(join(path, opaqueMarker), '')
    } else {
      await setXattrs(
        this.#root,
        opaque.map((path) => ({ path: path || '.', xattrs: { [opaqueXattr()]: 'y' } })),
      )
    }
    // File capabilities and the like need a privilege and a file system that has them; images run without them too.
    if (this.#options.privileged) {
      await setXattrs(this.#root, this.#xattrs).catch((error: unknown) => {
        if (!(error instanceof XattrsRefusedError)) throw error
      })
    }
    // Children first, or restoring a parent's time would be undone by a change below it.
    const deepestFirst = [...this.#directories].sort(([a], [b]) => b.length - a.length)
    for (const [path, header] of deepestFirst) this.#setAttributes(path, header)
    return { size: this.#bytes, opaque }
  }

  #count(header: TarHeader): void {
    this.#entries += 1
    this.#bytes += header.size
    if (this.#bytes > this.#limits.bytes) {
      throw new InvalidLayerError(`invalid layer: it unpacks to more than ${this.#limits.bytes} bytes`)
    }
    if (this.#entries > this.#limits.entries) {
      throw new InvalidLayerError(`invalid layer: it holds more than ${this.#limits.entries} entries`)
    }
  }

  #addWhiteout(parent: string, name: string): void {
    if (name === opaqueMarker) {
      this.#opaque.add(parent)
      return
    }
    if (name.startsWith(whiteoutMetaPrefix)) return
    const hidden = name.slice(whiteoutPrefix.length)
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new PathEscapeError(`invalid path ${JSON.stringify(name)}: it hides nothing that could exist`)
    }
    const path = join(parent, hidden)
    const existing = lstatSync(path, { throwIfNoEntry: false })
    // A whiteout speaks of lower layers only: what this layer itself brought stays, and hides what was below.
    if (existing?.isDirectory()) this.#opaque.add(path)
    if (existing) return
    this.#whiteouts.add(path)
    if (this.#options.whiteouts) this.#options.whiteouts.place(path)
    else writeFileSync(join(parent, name), '')
  }

  async #addFile(path: string, header: TarHeader, body: AsyncIterable<Buffer>): Promise<void> {
    const replacesWhiteout = this.#makeWay(path, header)
    switch (header.type) {
      case 'directory':
        mkdirSync(path, { recursive: true, mode: 0o755 })
        if (replacesWhiteout) this.#opaque.add(path)
        this.#directories.set(path, header)
        break
      case 'file':
        await writeContent(path, header, body)
        this.#setAttributes(path, header)
        break
      case 'symlink':
        // Wherever it leads: only the container will follow it, whose root is as high as `..` climbs.
        symlinkSync(header.linkname ?? '', path)
        this.#setAttributes(path, header)
        break
      case 'link':
        this.#addHardLink(path, header)
        break
      default:
        await this.#addNode(path, header)
    }
    if (header.xattrs && (header.type === 'file' || header.type === 'directory')) {
      const xattrs = Object.entries(header.xattrs).filter(([name, value]) => isKeptXattr(name, value))
      if (xattrs.length > 0) this.#xattrs.push({ path: relative(this.#root, path), xattrs: Object.fromEntries(xattrs) })
    }
  }

  /** Removes what stands at `path`, unless both are directories. Returns whether it was a whiteout of this layer. */
  #makeWay(path: string, header: TarHeader): boolean {
    const wasWhiteout = this.#whiteouts.delete(path)
    if (wasWhiteout && !this.#options.whiteouts) {
      rmSync(join(dirname(path), whiteoutPrefix + basename(path)), { force: true })
    }
    const existing = lstatSync(path, { throwIfNoEntry: false })
    if (existing && !(existing.isDirectory() && header.type === 'directory')) {
      rmSync(path, { recursive: true, force: true })
      for (const known of [...this.#directories.keys(), ...this.#opaque]) {
        if (known !== path && !known.startsWith(`${path}/`)) continue
        this.#directories.delete(known)
        this.#opaque.delete(known)
      }
    }
    return wasWhiteout
  }

  #addHardLink(path: string, header: TarHeader): void {
    // Some tools write link targets like the paths they stand for, with a leading slash.
    const components = entryComponents((header.linkname ?? '').replace(/^\/+/, ''))
    const target = resolveBeneath(this.#root, components, 'keep')
    const stat = lstatSync(target, { throwIfNoEntry: false })
    if (!stat || stat.isDirectory()) {
      throw new InvalidLayerError(
        `invalid hard link ${JSON.stringify(header.name)}: its target ${JSON.stringify(header.linkname)} is not in this layer`,
      )
    }
    linkSync(target, path)
  }

  async #addNode(path: string, header: TarHeader): Promise<void> {
    const type = header.type === 'fifo' ? 'p' : header.type === 'block-device' ? 'b' : 'c'
    if (type !== 'p' && !this.#options.privileged) {
      throw new InvalidLayerError(`invalid layer: ${header.name} is a device, which only root on Linux may make`)
    }
    if (type !== 'p' && userNamespace().isNested) return
    const [major, minor] = [header.devmajor ?? 0, header.devminor ?? 0]
    if (type === 'c' && major === 0 && minor === 0 && this.#options.whiteouts) {
      throw new InvalidLayerError(`invalid layer: ${header.name} is a device 0:0, which means deleted`)
    }
    await makeDevice(path, type, major, minor)
    this.#setAttributes(path, header)
  }

  #ownerOf(header: TarHeader): { uid: number; gid: number } {
    const owner = userNamespace().ownerOf(header)
    if (userNamespace().hasUser(owner.uid) && userNamespace().hasGroup(owner.gid)) return owner
    // Who owns the files of a build context is nobody's concern.
    if (this.#options.isPlainArchive) return { uid: 0, gid: 0 }
    throw new InvalidLayerError(
      `invalid layer: ${header.name} belongs to ${owner.uid}:${owner.gid}, and no range in /etc/subuid and /etc/subgid reaches that far`,
    )
  }

  #setAttributes(path: string, header: TarHeader): void {
    const isLink = header.type === 'symlink'
    const seconds = header.mtime.getTime() / 1000
    if (this.#options.privileged) {
      const { uid, gid } = this.#ownerOf(header)
      lchownSync(path, uid, gid)
    }
    // After chown, which clears the set-id bits. Without root's powers the owner must still be able to read and
    // delete the layer, and nobody's set-id program may become this user's.
    if (!isLink) chmodSync(path, this.#options.privileged ? header.mode : ownerMode(header))
    if (isLink) lutimesSync(path, seconds, seconds)
    else utimesSync(path, seconds, seconds)
  }
}

function ownerMode(header: TarHeader): number {
  return (header.mode & 0o1777) | (header.type === 'directory' ? 0o700 : 0o600)
}

async function writeContent(path: string, header: TarHeader, body: AsyncIterable<Buffer>): Promise<void> {
  // O_EXCL: whatever stood here was removed, so an existing file, or a link to one, must not be written through.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = openSync(path, flags, 0o600)
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at)
    }
    futimesSync(file, header.mtime, header.mtime)
  } finally {
    closeSync(file)
  }
}

/** Never what overlayfs takes its orders from. Values that are not text did not survive reading. */
function isKeptXattr(name: string, value: string): boolean {
  if (name.startsWith('user.overlay.')) return false
  return (name === 'security.capability' || name.startsWith('user.')) && !value.includes('\uFFFD')
}
