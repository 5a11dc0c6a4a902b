/**
 * Mounts between two languages: what a container's record says of them, and what a driver wants to be told.
 */

import type { Mount } from '../snapshots/mount.ts'
import type { MountPoint } from '../volumes/mount-point.ts'
import { resolveSubpath } from '../volumes/subpath.ts'

/** The mounts of a record as the driver wants them. Throws a 400 for a part of a volume that cannot be had. */
export function driverMounts(mounts: MountPoint[]): Mount[] {
  return mounts.flatMap(({ type, source, real, subpath, target, readOnly, options, propagation, machine = [] }) => [
    {
      type: type === 'tmpfs' ? 'tmpfs' : 'bind',
      source: subpath === undefined ? source : resolveSubpath(source, subpath),
      target,
      readOnly,
      ...(real || subpath !== undefined ? { real: true } : {}),
      ...(options !== undefined ? { options } : {}),
      ...(propagation !== undefined ? { propagation } : {}),
    },
    ...machine.map((directory): Mount => ({
      type: 'bind',
      source: directory,
      target: `${target}${directory}`,
      readOnly,
    })),
  ])
}
