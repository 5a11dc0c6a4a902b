/**
 * The merged file system of a container that is not running, as a directory: overlayfs mounted in a mount namespace
 * that a helper process keeps. It is exact where reading the layers one by one would have to guess (opaque
 * directories are an xattr), it can be written to, and it cannot be left behind: the helper ends with its stdin.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import type { BaseRoot } from './base-root.ts'
import { toolEnvironment } from '../../tool-environment.ts'

interface View {
  root: string
  helper: ChildProcess
}

export interface ViewPlan {
  fstab: string
  /** Where it is to be mounted from. */
  directory: string
  base: BaseRoot
}

export class MergedViews {
  readonly #plan: (rootfs: Rootfs) => ViewPlan
  readonly #open = new Map<string, Promise<View>>()

  constructor(plan: (rootfs: Rootfs) => ViewPlan) {
    this.#plan = plan
  }

  /** The host path of the merged root; valid until close(). */
  async open(rootfs: Rootfs): Promise<string> {
    let view = this.#open.get(rootfs.dir)
    if (view === undefined) {
      view = this.#mount(rootfs)
      this.#open.set(rootfs.dir, view)
      view.catch(() => this.#open.delete(rootfs.dir))
    }
    return (await view).root
  }

  /** Must come before a start: two overlays may not share a writable layer. */
  async close(rootfs: Pick<Rootfs, 'dir'>): Promise<void> {
    const opening = this.#open.get(rootfs.dir)
    if (opening === undefined) return
    this.#open.delete(rootfs.dir)
    const { helper } = await opening
    const closed = once(helper, 'close')
    helper.stdin?.end()
    await closed
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((dir) => this.close({ dir })))
  }

  async #mount(rootfs: Rootfs): Promise<View> {
    const { fstab, directory, base } = this.#plan(rootfs)
    const file = join(rootfs.dir, 'view.fstab')
    writeFileSync(file, fstab)
    const script = 'mount -n -a -T "$0" && echo ready && read -r _'
    const helper = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, file], {
      cwd: directory,
      env: toolEnvironment,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let errors = ''
    helper.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    const ready = once(helper.stdout, 'data').then(() => true)
    const isReady = await Promise.race([ready, once(helper, 'close').then(() => false)])
    if (!isReady) throw serverError(`cannot mount the container's file system: ${errors.trim()}`)
    // Neither pipe may keep the runtime alive.
    helper.unref()
    return { root: join(`/proc/${helper.pid}/root`, base.rootfs), helper }
  }
}
