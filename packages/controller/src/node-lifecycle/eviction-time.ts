/**
 * For how long does a pod put up with the NoExecute taints of its node? Pure. Follows pkg/controller/tainteviction.
 */

import { tolerates } from '@dinghy/shared/api/taints'
import type { Pod, Taint } from '@dinghy/shared/api/types'

/**
 * When the pod has to leave, in ms since the epoch; undefined: it may stay. `seenMs` is when we first saw the pod
 * beside such taints: from then on counts a taint that does not say when it was added, as those of `kubectl taint` do
 * not.
 */
export function evictionTimeOf(pod: Pod, taints: Taint[] | undefined, seenMs: number): number | undefined {
  const evicting = (taints ?? []).filter(({ effect }) => effect === 'NoExecute')
  if (evicting.length === 0) return undefined
  const tolerations = pod.spec.tolerations ?? []
  const used = evicting.map((taint) => tolerations.filter((toleration) => tolerates(toleration, taint)))
  if (used.some((matching) => matching.length === 0)) return seenMs
  const limits = used
    .flat()
    .flatMap(({ tolerationSeconds }) => (tolerationSeconds === undefined ? [] : [tolerationSeconds]))
  if (limits.length === 0) return undefined
  // The shortest patience counts, from the latest taint: only since then has all of this been so.
  const sinceMs = Math.max(...evicting.map(({ timeAdded }) => (timeAdded ? Date.parse(timeAdded) : seenMs)))
  return sinceMs + Math.max(0, Math.min(...limits)) * 1_000
}
