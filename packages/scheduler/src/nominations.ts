/**
 * Nominations: which node each preempting pod has been promised. Kept here from the moment of the promise, because the
 * status that tells of it comes back from the API server only later, and until then others could take the room.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import type { Pod } from '@dinghy/shared/api/types'

export class Nominations {
  readonly #promises = new Map<string, { pod: Pod; nodeName: string }>()

  promise(pod: Pod, nodeName: string): void {
    this.#promises.set(keyOf(pod), { pod, nodeName })
  }

  /** The pod is bound, gone, or will not get its node. */
  withdraw(key: string): void {
    this.#promises.delete(key)
  }

  /**
   * A waiting pod as the API server has it. A promise in its status counts; its absence withdraws ours only if it was
   * there before, since otherwise our own write may simply not have arrived yet.
   */
  observe(pod: Pod, previous?: Pod): void {
    const { nominatedNodeName } = pod.status
    if (nominatedNodeName) this.promise(pod, nominatedNodeName)
    else if (previous?.status.nominatedNodeName) this.withdraw(keyOf(pod))
  }

  /** Node name → the pods that it was promised to. */
  byNode(): ReadonlyMap<string, readonly Pod[]> {
    const result = new Map<string, Pod[]>()
    for (const { pod, nodeName } of this.#promises.values()) {
      result.set(nodeName, [...(result.get(nodeName) ?? []), pod])
    }
    return result
  }
}
