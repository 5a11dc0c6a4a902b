/**
 * Where each mount of a container is made. Pure.
 *
 * Most are made where they will be. What lies in a tmpfs needs a directory there, which mount(8) makes when the tmpfs
 * is mounted. If that tmpfs lies in a volume, other containers could put a link in its place at that moment, and the
 * directory would be made where it leads. So such a tmpfs, and what lies in it, is put together elsewhere, out of
 * everybody's reach, and then bound into the volume as a whole.
 */
import { posix } from 'node:path'
import type { Mount } from '../../snapshots/mount.ts'
import { enclosing } from '../../snapshots/overlay/mount-points.ts'

export interface MountPlaces {
  /** One for each mount, in the same order. `isMade`: the directory is not there before. */
  places: { at: string; isMade: boolean }[]
  /** What is to be bound with all that is mounted in it, in this order, when everything is mounted. */
  moves: { from: string; to: string }[]
}

/** `mounts` have targets without links, and come in the order in which they are made. */
export function placesOf(mounts: Mount[], rootfs: string, scratch: string): MountPlaces {
  const at = new Map<Mount, string>()
  const moves: MountPlaces['moves'] = []
  const places = mounts.map((mount, index) => {
    const around = enclosing(mount.target, mounts.slice(0, index))
    const base = around === undefined ? undefined : at.get(around)
    const place = posix.join(base ?? rootfs, mount.target.slice(base === undefined ? 0 : around?.target.length))
    const isInVolume = mount.type === 'tmpfs' && around?.type === 'bind'
    const isElsewhere = isInVolume && mounts.some((other) => enclosing(other.target, mounts) === mount)
    // The inner ones first: each takes along what is mounted in it.
    if (isElsewhere) moves.unshift({ from: posix.join(scratch, String(index)), to: place })
    at.set(mount, isElsewhere ? posix.join(scratch, String(index)) : place)
    return { at: at.get(mount) ?? place, isMade: isElsewhere || around?.type === 'tmpfs' }
  })
  return { places, moves }
}
