/**
 * Whether a bind can be told of later mounts, as `-v …:rslave` asks: only if the mount that it lies in tells anybody.
 */
import { readFileSync, realpathSync } from 'node:fs'
import type { Mount } from '../../snapshots/mount.ts'
import { startError } from '../../start-error.ts'

interface MountInfo {
  at: string
  /** It has a peer, or a master: what is mounted in it is passed on. */
  propagates: boolean
}

/** As Docker does: an error, rather than a bind that would silently never see what it is for. */
export function checkPropagation(mounts: Mount[]): void {
  const wanting = mounts.filter(({ propagation }) => propagation !== undefined)
  if (wanting.length === 0) return
  const table = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
  for (const { source } of wanting) {
    const mount = mountOf(realpathSync(source), table)
    if (mount?.propagates) continue
    throw startError(`path ${source} is mounted on ${mount?.at ?? '/'} but it is not a shared or slave mount`)
  }
}

/** The mount that `path` lies in. Of several on one directory the last counts. */
export function mountOf(path: string, table: MountInfo[]): MountInfo | undefined {
  const enclosing = table.filter(({ at }) => at === '/' || path === at || path.startsWith(`${at}/`))
  return enclosing.toReversed().toSorted((a, b) => b.at.length - a.at.length)[0]
}

/** proc_pid_mountinfo(5): optional fields stand between the sixth column and a lone dash. */
export function parseMountInfo(text: string): MountInfo[] {
  const lines = text.split('\n').filter(Boolean)
  return lines.map((line) => {
    const fields = line.split(' ')
    const at = (fields[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    return { at, propagates: fields.slice(6, fields.indexOf('-')).some((field) => /^(shared|master):/.test(field)) }
  })
}
