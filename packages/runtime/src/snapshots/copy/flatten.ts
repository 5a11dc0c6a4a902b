/**
 * An image's layers as one plain directory, for drivers without overlayfs, and how that directory differs later.
 *
 * Files are cloned where the file system can (then they cost nothing) and copied elsewhere; never linked, because a
 * container that writes into a linked file would write into the layer, and so into every other container.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import type { Change } from '@dinghy/images/layers/snapshotter'

const opaque = '.wh..wh..opq'
const whiteout = '.wh.'

/** Applies the layers, lowest first, to the (new) directory `root`. */
export function flatten(layers: string[], root: string): void {
  mkdirSync(root, { recursive: true, mode: 0o755 })
  for (const layer of layers) applyLayer(layer, root)
}

function applyLayer(source: string, target: string): void {
  const names = readdirSync(source)
  if (names.includes(opaque)) for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true })
  for (const name of names) {
    if (name === opaque) continue
    const from = join(source, name)
    const stat = lstatSync(from)
    const isWhiteout = stat.isCharacterDevice() && stat.rdev === 0
    if (name.startsWith(whiteout) || isWhiteout) {
      rmSync(join(target, isWhiteout ? name : name.slice(whiteout.length)), { recursive: true, force: true })
      continue
    }
    copyEntry(from, stat, join(target, name))
  }
}

function copyEntry(from: string, stat: Stats, to: string): void {
  const existing = lstatSync(to, { throwIfNoEntry: false })
  if (stat.isDirectory()) {
    if (existing !== undefined && !existing.isDirectory()) rmSync(to, { force: true })
    mkdirSync(to, { recursive: true })
    applyLayer(from, to)
    chmodSync(to, stat.mode & 0o7777)
  } else {
    if (existing !== undefined) rmSync(to, { recursive: true, force: true })
    if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from), to)
    else if (stat.isFile()) {
      copyFileSync(from, to, constants.COPYFILE_FICLONE)
      chmodSync(to, stat.mode & 0o7777)
    } else return // devices, sockets and FIFOs have no place in a directory of an ordinary user
  }
  if (process.getuid?.() === 0) lchownSync(to, stat.uid, stat.gid)
  if (!stat.isSymbolicLink()) utimesSync(to, stat.atime, stat.mtime)
}

/** Path → what tells whether it was changed. */
type Manifest = Record<string, string>

/** Remembers the present content of `root` in `file`. */
export function writeManifest(root: string, file: string): void {
  writeFileSync(file, JSON.stringify(scan(root)))
}

/** How `root` differs from its manifest; parents before children. `ignored` are paths that the driver itself made. */
export function changesSince(root: string, file: string, ignored: ReadonlySet<string>): Change[] {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest) : {}
  const now = scan(root)
  const changes: Change[] = []
  for (const [path, mark] of Object.entries(now)) {
    if (!(path in before)) changes.push({ path, kind: 'add' })
    else if (before[path] !== mark) changes.push({ path, kind: 'modify' })
  }
  for (const path of Object.keys(before)) {
    const parent = path.slice(0, path.lastIndexOf('/'))
    // One entry for a whole tree that went, as a whiteout does it.
    if (!(path in now) && (parent === '' || parent in now)) changes.push({ path, kind: 'delete' })
  }
  return changes
    .filter(({ path }) => ![...ignored].some((own) => path === own || path.startsWith(`${own}/`)))
    .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

function scan(root: string): Manifest {
  const manifest: Manifest = {}
  const walk = (directory: string) => {
    for (const name of readdirSync(join(root, directory)).toSorted()) {
      const path = `${directory}/${name}`
      const stat = lstatSync(join(root, path), { throwIfNoEntry: false })
      if (stat === undefined) continue
      // A directory counts as changed when its own attributes do; its content speaks for itself.
      const mark = stat.isDirectory() ? [] : [stat.size, stat.mtimeMs, stat.ino]
      manifest[path] = [stat.mode, stat.uid, stat.gid, ...mark].join(' ')
      if (stat.isDirectory()) walk(path)
    }
  }
  walk('')
  return manifest
}
