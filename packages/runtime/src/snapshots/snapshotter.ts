/**
 * The root file systems of containers: the seam between containers and how their layers become one tree. `overlay`
 * (on Linux) lets the kernel lay them over each other, `copy` makes a plain directory of them.
 *
 * A Snapshotter of the images package is enough for builds, in whose file systems nothing runs when somebody looks.
 * The runtime also looks while a container runs, and then must see what that sees: its mounts, and never a second
 * overlay on the same writable layer.
 */
import type { Change, Rootfs, Snapshotter } from '@dinghy/images/layers/snapshotter'
import type { HeldEntry } from './held-directory.ts'

/** A container that runs, by its first process. */
export interface Live {
  id: string
  pid: number
}

export interface LiveSnapshotter extends Snapshotter {
  changes(rootfs: Rootfs, live?: Live): Promise<Change[]>
  /** For files of a container that cannot change them now; see `open` for others. */
  pathIn(rootfs: Rootfs, path: string, live?: Live): Promise<string>
  /**
   * What is at `path`, links followed inside the root only, the last one only if `followLast`. It stays what it is,
   * whatever a program in the container puts in the place of a directory meanwhile. The caller closes it. ENOENT and
   * ENOTDIR (`code`) as open(2).
   */
  open(rootfs: Rootfs, path: string, options: { followLast: boolean; live?: Live }): Promise<HeldEntry>
  /** Copies a directory of the image into a directory of the host, owners and modes too; nothing if it has none. */
  copyOut(rootfs: Rootfs, path: string, destination: string): Promise<void>
  /**
   * Puts the files of an image together in a new directory, without what every container has besides; nothing if there
   * is none. Resolves to the directories of this machine that belong to the image, too. Throws a 400 where both cannot
   * be had together.
   */
  unpack(image: Pick<Rootfs, 'layers' | 'hostBase'>, destination: string | undefined): Promise<string[]>
  /** The runtime stops: gives back what no container needs. Containers run on. */
  close(): Promise<void>
}
