/** What a RUN's bind mounts show, as a digest for the cache. Caches, secrets and tmpfs never count. */
import { createHash } from 'node:crypto'
import type { RunMount } from '../dockerfile/run-mount.ts'
import { copyDigest } from './copy-layer.ts'
import type { CopySource } from './copy-plan.ts'

/** Undefined when there is no bind mount. */
export async function mountDigest(
  mounts: readonly RunMount[],
  sourceOf: (from: string | undefined) => Promise<CopySource>,
): Promise<string | undefined> {
  const binds = mounts.filter(({ type }) => type === 'bind')
  if (binds.length === 0) return undefined
  const hash = createHash('sha256')
  for (const { from, source } of binds) {
    const { view } = await sourceOf(from)
    const items = [...view.walk(source ?? '/')].map((entry) => ({
      target: entry.path,
      source: entry,
      keepsOwner: false,
    }))
    hash.update(await copyDigest(items, { owner: undefined, mode: undefined, now: new Date(0) }))
  }
  return hash.digest('hex')
}
