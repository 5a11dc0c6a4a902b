/**
 * Mounts between two languages: what a container's record says of them, and what a driver wants to be told.
 */

import type { Mount } from '../snapshots/mount.ts'
import type { MountPoint } from '../volumes/mount-point.ts'

/** The mounts of a record as the driver wants them. */
export function driverMounts(mounts: MountPoint[]): Mount[] {
  return mounts.map(({ type, source, target, readOnly, options, propagation }) => ({
    type: type === 'tmpfs' ? 'tmpfs' : 'bind',
    source,
    target,
    readOnly,
    ...(options !== undefined ? { options } : {}),
    ...(propagation !== undefined ? { propagation } : {}),
  }))
}
