/**
 * The lines of an fstab(5) that mount a container's root: overlays, whose directories are relative to `lowerLinks`,
 * from where they are mounted. Pure.
 */
import { posix } from 'node:path'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import type { BaseRoot } from './base-root.ts'

/**
 * How the root of a container is mounted: one overlay, and for an image made of this machine's files one more for
 * each of its directories.
 */
export interface RootPlan {
  base: BaseRoot
  rootfs: Rootfs
  /** Holds links to the overlay's lower directories, named 0, 1, …, uppermost first; mounting happens in there. */
  lowerLinks: string
  /** Names of `hostDirectories` per layer (index into the overlay's lower directories) that have such a directory. */
  lowerCount: number
  hostOverlays: { name: string; lowers: number[] }[]
  readOnlyRoot: boolean
  /** The writable layer is never forced to the disk, for which the end of a mount would wait, and fsync(2) inside. */
  isVolatile: boolean
  /** In a user namespace: options that a copy of the machine's mount at a path must keep (kept-options.ts). */
  nested?: { kept: (path: string) => string } | undefined
}

export function rootFstabOf(plan: RootPlan): string {
  return `${rootLines(plan).join('\n')}\n`
}

export function rootLines(plan: RootPlan): string[] {
  const { base } = plan
  const root = base.rootfs
  const lines = [line('overlay', root, 'overlay', overlayOptions(range(plan.lowerCount).map(String), '', plan))]
  for (const { name, lowers } of plan.hostOverlays) {
    const dirs = [...lowers.map((n) => `${n}/${name}`), `/${name}`]
    lines.push(line('overlay', posix.join(root, name), 'overlay', overlayOptions(dirs, name, plan)))
  }
  if (plan.rootfs.hostBase && base.nodePrefix !== undefined) {
    const options = `rbind,ro${plan.nested?.kept(base.nodePrefix) ?? ''}`
    lines.push(line(base.nodePrefix, posix.join(root, base.nodePrefix), 'none', options))
  }
  return lines
}

/** `part` is the top-level directory that has an overlay of its own; all share one upper tree. */
function overlayOptions(lowers: string[], part: string, plan: RootPlan): string {
  const own = posix.relative(plan.lowerLinks, plan.rootfs.dir)
  const upper = posix.join(own, 'upper', part)
  const work = posix.join(own, part === '' ? 'work' : `work-${part}`)
  // Where overlayfs keeps its notes in ordinary attributes, which anybody may forge, it follows no redirections anyhow.
  const features = plan.nested === undefined ? 'redirect_dir=off,metacopy=off' : 'userxattr'
  const volatile = plan.isVolatile ? ',volatile' : ''
  const options = `lowerdir=${lowers.join(':')},upperdir=${upper},workdir=${work},index=off,${features}${volatile}`
  // As in Docker, --read-only does not mean /dev.
  return plan.readOnlyRoot && part !== 'dev' ? `${options},ro` : options
}

/** A line of fstab(5). */
export function line(source: string, target: string, type: string, options: string): string {
  return [octal(source), octal(target), type, octal(options), '0', '0'].join(' ')
}

/** In tables of mounts blanks and backslashes are written in octal. */
export function octal(text: string): string {
  return text.replace(/[\\ \t\n]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
