/**
 * `--mount type=image`: the files of an image, read-only, in a container of another one.
 *
 * Docker mounts the image's layers. Here they are copied together once, into a directory that all containers share
 * which mount the image, so that every driver can mount it as it mounts any directory. It goes with the last of these
 * containers. What an image shows of this machine (host bases) is not copied: it is mounted beside.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { PathEscapeError } from '@dinghy/images/files/scoped-path'
import { LayerView } from '@dinghy/images/layers/layer-view'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import { badParameter } from '@dinghy/shared/docker/errors'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { LiveSnapshotter } from '../snapshots/snapshotter.ts'
import type { MountPoint } from './mount-point.ts'

interface Deps {
  root: string
  images: Pick<ImageStore, 'resolve'>
  snapshotter: Pick<LiveSnapshotter, 'unpack'>
}

interface Tree {
  path: string
  /** Directories of this machine that are a part of it. */
  machine: string[]
}

export class ImageTrees {
  readonly #deps: Deps
  readonly #making = new Map<string, Promise<Tree>>()
  /** How many mounts are being provided from a tree, whose containers nobody knows yet. */
  readonly #held = new Map<string, number>()

  constructor(deps: Deps) {
    this.#deps = deps
    mkdirSync(deps.root, { recursive: true, mode: 0o711 })
  }

  /** Notes in a mount where the image's files are. Throws a 404 without the image, a 400 without that part of it. */
  async provide(mount: MountPoint, subpath: string): Promise<void> {
    const image = await this.#deps.images.resolve(mount.image ?? '')
    const name = nameOf(image)
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1)
    try {
      const { path, machine } = await this.#make(name, image)
      mount.source = subpath === '' ? path : partOf(path, machine, subpath)
      if (subpath === '' && machine.length > 0) mount.machine = machine
    } finally {
      this.#held.set(name, (this.#held.get(name) ?? 1) - 1)
    }
  }

  /** Removes what none of these mounts is of. */
  async retain(mounts: readonly MountPoint[]): Promise<void> {
    const used = mounts.filter(({ type }) => type === 'image').map(({ source }) => `${source}/`)
    const unused = readdirSync(this.#deps.root)
      .map((name) => ({ name, path: join(this.#deps.root, name) }))
      .filter(({ name, path }) => !this.#isHeld(name) && !used.some((source) => source.startsWith(`${path}/`)))
    for (const { path } of unused) await removeTree(path)
  }

  #isHeld(entry: string): boolean {
    return (this.#held.get(entry.replace(unfinished, '')) ?? 0) > 0
  }

  async #make(name: string, image: Image): Promise<Tree> {
    const making = this.#making.get(name) ?? this.#unpack(name, image)
    this.#making.set(name, making)
    try {
      return await making
    } finally {
      this.#making.delete(name)
    }
  }

  async #unpack(name: string, { layers, hostBase }: Image): Promise<Tree> {
    const { root, snapshotter } = this.#deps
    const path = join(root, name)
    const begun = `${path}${unfinished}`
    await removeTree(begun)
    if (!existsSync(path)) mkdirSync(begun, { mode: 0o755 })
    const machine = await snapshotter.unpack({ layers, hostBase }, existsSync(path) ? undefined : begun)
    if (!existsSync(path)) renameSync(begun, path)
    return { path, machine }
  }
}

const unfinished = '.begun'

/** Images of the same layers have the same files. */
function nameOf({ layers, hostBase }: Image): string {
  return createHash('sha256')
    .update([hostBase, ...layers].join('\n'))
    .digest('hex')
    .slice(0, 32)
}

/** Where a part of an image is; links are followed inside the image, as in the image's own root. */
function partOf(tree: string, machine: string[], subpath: string): string {
  const shown = machine.map((directory) => ({ directory, at: directory, covers: true }))
  try {
    const found = new LayerView([{ directory: tree }, ...shown]).lookup(subpath)
    if (found !== undefined) return found.hostPath
  } catch (error) {
    if (!(error instanceof PathEscapeError)) throw error
  }
  throw badParameter(`invalid mount config for type "image": cannot access path ${subpath}: no such file or directory`)
}
