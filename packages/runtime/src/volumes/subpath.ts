/**
 * `--mount type=volume,volume-subpath=…`: a part of a volume as the source of a mount.
 *
 * What is in a volume was written by containers, so links in it are followed only as long as they stay in it; one to
 * an absolute path never does. As in Docker this is looked at anew at every start. Docker then holds what it has found
 * until it is mounted; here what has been mounted is compared with what was found (linux/expected-mounts.ts), and a
 * start in whose way a link was put meanwhile fails.
 */
import { realpathSync } from 'node:fs'
import { isAbsolute, join, posix, sep } from 'node:path'
import { badParameter } from '@dinghy/shared/docker/errors'

/** Whether the text alone stays where it begins. Pure. */
export function isLocalPath(path: string): boolean {
  const clean = posix.normalize(path)
  return path !== '' && !isAbsolute(path) && clean !== '..' && !clean.startsWith('../')
}

/** The path on this machine, free of links. Throws a 400 when there is nothing, or when it is not in the volume. */
export function resolveSubpath(volume: string, subpath: string): string {
  const path = join(volume, subpath)
  const base = realpathSync(volume)
  const found = realpathOr400(path)
  if (found !== base && !found.startsWith(base + sep))
    throw badParameter(`path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`)
  return found
}

function realpathOr400(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const reasons: Record<string, string> = {
      ENOENT: 'no such file or directory',
      ENOTDIR: 'not a directory',
      ELOOP: 'too many levels of symbolic links',
    }
    const reason = reasons[(error as NodeJS.ErrnoException).code ?? '']
    if (reason === undefined) throw error
    throw badParameter(`cannot access path ${path}: ${reason}`)
  }
}
