/** What is missing, or too much: the whole decision of a ReplicaSet. Pure. */

import type { Pod } from '@dinghy/shared/api/types'
import { podsToDelete } from '../children/deletion-order.ts'

export interface ReplicaPlan {
  create: number
  remove: Pod[]
}

/** The most pods that one pass creates or deletes; the next pass does the rest. */
export const burst = 500

/**
 * `active` are the owner's active pods; `related` finds those of its whole family (see podsToDelete), if it matters.
 */
export function planReplicas(wanted: number, active: Pod[], related: () => Pod[], now: number): ReplicaPlan {
  const surplus = active.length - wanted
  if (surplus < 0) return { create: Math.min(-surplus, burst), remove: [] }
  if (surplus === 0) return { create: 0, remove: [] }
  return { create: 0, remove: podsToDelete(active, related(), Math.min(surplus, burst), now) }
}
