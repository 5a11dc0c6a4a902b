/**
 * emptyDir.sizeLimit: a pod that fills a volume beyond it is evicted. Nothing stops the write itself; the node looks
 * from time to time, as a kubelet does (eviction manager, every ten seconds), and only at pods that have such a
 * limit.
 */

import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bytes } from '@dinghy/shared/api/quantity'
import type { Pod } from '@dinghy/shared/api/types'

export const measureEveryMs = 10_000

export function hasSizeLimits(pod: Pod): boolean {
  return limitsOf(pod).length > 0
}

/** In upstream's words, or undefined if all volumes keep to their limits. `paths`: by volume name. */
export async function exceededLimit(pod: Pod, paths: ReadonlyMap<string, string>): Promise<string | undefined> {
  for (const { name, limit } of limitsOf(pod)) {
    const path = paths.get(name)
    if (path === undefined || (await usedBytes(path)) <= bytes(limit)) continue
    return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(limit)}. `
  }
  return undefined
}

/** A limit of zero is none. */
function limitsOf({ spec }: Pod): { name: string; limit: string }[] {
  return (spec.volumes ?? []).flatMap(({ name, emptyDir }) =>
    emptyDir?.sizeLimit !== undefined && bytes(emptyDir.sizeLimit) > 0 ? [{ name, limit: emptyDir.sizeLimit }] : [],
  )
}

/** What it takes on disk, as du counts. Files come and go meanwhile. */
async function usedBytes(path: string): Promise<number> {
  try {
    const stat = await lstat(path)
    const own = stat.blocks * 512
    if (!stat.isDirectory()) return own
    let total = own
    for (const entry of await readdir(path)) total += await usedBytes(join(path, entry))
    return total
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
