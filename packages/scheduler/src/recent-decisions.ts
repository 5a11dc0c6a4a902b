/**
 * The last pods that were given a node, each with the cluster as the scheduler saw it at that moment. The store cannot
 * tell this: pods whose binding was still on its way had been counted already. Snapshots share all nodes that did not
 * change between them, so a hundred of them are small.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { Snapshot } from './snapshot.ts'

export interface PlacedPod {
  pod: Pod
  cluster: Snapshot
  nodeName: string
}

const kept = 100

export class RecentDecisions {
  /** By uid, the oldest first. */
  readonly #placed = new Map<string, PlacedPod>()

  remember(placed: PlacedPod): void {
    const { uid } = placed.pod.metadata
    this.#placed.delete(uid)
    this.#placed.set(uid, placed)
    const [oldest] = this.#placed.keys()
    if (this.#placed.size > kept && oldest !== undefined) this.#placed.delete(oldest)
  }

  of(uid: string): PlacedPod | undefined {
    return this.#placed.get(uid)
  }
}
