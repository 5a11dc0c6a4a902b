/** A snapshotter for tests: a root is one plain directory, and what has changed is what the test says. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Change, Rootfs } from '@dinghy/images/layers/snapshotter'
import { HeldDirectory, walkIn, type HeldEntry } from '../snapshots/held-directory.ts'
import type { Live, LiveSnapshotter } from '../snapshots/snapshotter.ts'

export class FakeSnapshotter implements LiveSnapshotter {
  /** By rootfs directory. */
  readonly prepared = new Set<string>()
  changed: Change[] = []
  readonly copied: string[] = []
  unpacked = 0
  /** Throws for a running container whose root is gone. */
  checkLive: (live: Live) => void = () => undefined

  async prepare({ dir }: Rootfs): Promise<void> {
    mkdirSync(join(dir, 'root'), { recursive: true })
    this.prepared.add(dir)
  }

  async changes(_rootfs: Rootfs, live?: Live): Promise<Change[]> {
    if (live !== undefined) this.checkLive(live)
    return this.changed
  }

  async changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return join(rootfs.dir, 'root', path)
  }

  async pathIn(rootfs: Rootfs, path: string, live?: Live): Promise<string> {
    if (live !== undefined) this.checkLive(live)
    return join(rootfs.dir, 'root', path)
  }

  async open(rootfs: Rootfs, path: string, options: { followLast: boolean; live?: Live }): Promise<HeldEntry> {
    if (options.live !== undefined) this.checkLive(options.live)
    return walkIn(HeldDirectory.open(join(rootfs.dir, 'root')), path, options)
  }

  async copyOut(_rootfs: Rootfs, path: string): Promise<void> {
    this.copied.push(path)
  }

  async unpack(_image: Pick<Rootfs, 'layers' | 'hostBase'>, destination: string | undefined): Promise<string[]> {
    if (destination !== undefined) {
      mkdirSync(join(destination, 'etc'))
      writeFileSync(join(destination, 'etc/name'), 'box')
      symlinkSync('/etc/name', join(destination, 'link'))
      symlinkSync('../../..', join(destination, 'out'))
      this.unpacked += 1
    }
    return ['/usr']
  }

  async cleanup({ dir }: Rootfs): Promise<void> {
    rmSync(dir, { recursive: true, force: true })
    this.prepared.delete(dir)
  }

  async close(): Promise<void> {}
}
