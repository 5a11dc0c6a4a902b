/**
 * Root file systems as plain directories, for the process driver: on any system, for any user. The layers are copied
 * together (flatten.ts); a change is what differs from the list that was made then. Mounts are links, which programs
 * follow that get there by a relative path; absolute ones are translated before that (drivers/process/translate.ts).
 */
import { execFile } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Change, Rootfs } from '@dinghy/images/layers/snapshotter'
import { LayerView, type ViewLayer } from '@dinghy/images/layers/layer-view'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import { toolEnvironment } from '../../tool-environment.ts'
import { HeldDirectory, HeldEntry } from '../held-directory.ts'
import type { Mount } from '../mount.ts'
import type { LiveSnapshotter } from '../snapshotter.ts'
import { changesSince, flatten, writeManifest } from './flatten.ts'

export class CopySnapshotter implements LiveSnapshotter {
  async prepare(rootfs: Rootfs): Promise<void> {
    const root = this.rootOf(rootfs)
    if (existsSync(manifestOf(rootfs))) return
    // Begun and not finished by a runtime that was killed.
    await removeTree(root)
    flatten(rootfs.layers, root)
    for (const directory of ['tmp', 'etc']) mkdirSync(join(root, directory), { recursive: true })
    writeManifest(root, manifestOf(rootfs))
  }

  rootOf({ dir }: Rootfs): string {
    return join(dir, 'root')
  }

  /**
   * Puts links in the places of the mounts. What was made for them is noted: it is no change of the container's.
   * The same mounts with where they really are.
   */
  linkMounts(rootfs: Rootfs, mounts: Mount[]): Pick<Mount, 'source' | 'target' | 'readOnly'>[] {
    const root = this.rootOf(rootfs)
    const made = madeForMounts(rootfs)
    const places = this.placesOf(rootfs, mounts)
    for (const { source, target } of places) {
      const path = join(root, target)
      if (made.includes(target)) rmSync(path, { force: true })
      // What the image has at that place would be hidden by a mount; here it stays, and translated paths go past it.
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue
      const firstDirectory = mkdirSync(dirname(path), { recursive: true })
      if (firstDirectory !== undefined) made.push(firstDirectory.slice(root.length))
      symlinkSync(source, path)
      made.push(target)
    }
    writeFileSync(linksOf(rootfs), JSON.stringify([...new Set(made)]))
    return places
  }

  /** Where the mounts really are. A tmpfs is a directory of the container, there being nothing to mount. */
  placesOf(rootfs: Rootfs, mounts: Mount[]): Pick<Mount, 'source' | 'target' | 'readOnly'>[] {
    return mounts.map(({ type, source, target, readOnly }) => {
      if (type === 'bind') return { source, target, readOnly }
      const directory = join(rootfs.dir, 'tmpfs', target)
      mkdirSync(directory, { recursive: true })
      return { source: directory, target, readOnly }
    })
  }

  async changes(rootfs: Rootfs): Promise<Change[]> {
    return changesSince(this.rootOf(rootfs), manifestOf(rootfs), new Set(madeForMounts(rootfs)))
  }

  async changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return this.pathIn(rootfs, path)
  }

  async pathIn(rootfs: Rootfs, path: string): Promise<string> {
    const found = this.#view(rootfs).lookup(path)
    if (found === undefined) throw notThere(path)
    return found.hostPath
  }

  /**
   * Nothing is isolated here, so nothing is held against anybody: whoever runs in it can write to this machine's
   * files anyway.
   */
  async open(rootfs: Rootfs, path: string, { followLast }: { followLast: boolean }): Promise<HeldEntry> {
    const view = this.#view(rootfs)
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    const last = names.at(-1) ?? ''
    if (last !== '' && last !== '..') {
      const parent = view.lookup(names.slice(0, -1).join('/'))
      const entry = parent && view.lookup(join(parent.path, last), 'keep')
      if (parent !== undefined && !(followLast && entry?.stat.isSymbolicLink())) {
        return new HeldEntry(HeldDirectory.open(dirname(entry?.hostPath ?? join(parent.hostPath, last))), last)
      }
    }
    const found = view.lookup(path)
    if (found === undefined) throw notThere(path)
    if (found.stat.isDirectory()) return new HeldEntry(HeldDirectory.open(found.hostPath), '')
    return new HeldEntry(
      HeldDirectory.open(dirname(found.hostPath)),
      found.hostPath.slice(dirname(found.hostPath).length + 1),
    )
  }

  async copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void> {
    const found = new LayerView([{ directory: this.rootOf(rootfs) }]).lookup(path)
    if (found?.stat.isDirectory())
      await promisify(execFile)('cp', ['-a', `${found.hostPath}/.`, destination], { env: toolEnvironment })
  }

  async cleanup(rootfs: Rootfs): Promise<void> {
    await removeTree(rootfs.dir)
  }

  /** Programs see this machine's own files anyhow. */
  async unpack({ layers }: Pick<Rootfs, 'layers' | 'hostBase'>, destination: string | undefined): Promise<string[]> {
    if (destination !== undefined) flatten(layers, destination)
    return []
  }

  async close(): Promise<void> {}

  #view(rootfs: Rootfs): LayerView {
    return new LayerView([...hostLayers(rootfs), { directory: this.rootOf(rootfs) }])
  }
}

function notThere(path: string): Error {
  return Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
}

function linksOf({ dir }: Rootfs): string {
  return join(dir, 'links.json')
}
function manifestOf({ dir }: Rootfs): string {
  return join(dir, 'manifest.json')
}

/** A host base shows this machine's programs. */
function hostLayers({ hostBase }: Rootfs): ViewLayer[] {
  if (!hostBase) return []
  const directories = ['/usr', '/bin', '/sbin', '/lib', '/lib64'].filter((dir) => existsSync(dir))
  return directories.map((directory) => ({ directory, at: directory }))
}

function madeForMounts(rootfs: Rootfs): string[] {
  const file = linksOf(rootfs)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []
}
