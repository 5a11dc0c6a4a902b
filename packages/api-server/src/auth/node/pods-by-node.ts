/**
 * The pods of each node, kept up to date by a watch: what of a namespace a node may see is decided by the hundred or so
 * pods that run there, not by all the pods that there are.
 */

import type { Pod } from '@dinghy/shared/api/types'
import { follow } from '../../storage/follow.ts'
import type { ChangeEvent } from '../../storage/recent-events.ts'
import type { Storage } from '../../storage/storage.ts'

const prefix = '/core/pods/'
const none: ReadonlyMap<string, Pod> = new Map()

export class PodsByNode {
  readonly #storage: Storage
  readonly #pods = new Map<string, Map<string, Pod>>()
  /** What the first load has shown. */
  readonly #revision: number

  constructor(storage: Storage) {
    this.#storage = storage
    this.#revision = this.#load()
  }

  /** Keeps up with storage until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const picture = {
      prefix,
      from: this.#revision,
      reload: () => this.#load(),
      apply: ({ type, entry, previous }: ChangeEvent) => {
        if (previous) this.#of(previous.object as Pod)?.delete(entry.key)
        if (type !== 'DELETED') this.#of(entry.object as Pod)?.set(entry.key, entry.object as Pod)
      },
    }
    await follow(this.#storage, picture, signal)
  }

  /** By their keys in storage. */
  on(node: string): ReadonlyMap<string, Pod> {
    return this.#pods.get(node) ?? none
  }

  #load(): number {
    const { revision, entries } = this.#storage.list(prefix)
    this.#pods.clear()
    for (const entry of entries) this.#of(entry.object as Pod)?.set(entry.key, entry.object as Pod)
    return revision
  }

  #of({ spec: { nodeName } }: Pod): Map<string, Pod> | undefined {
    if (!nodeName) return undefined
    const pods = this.#pods.get(nodeName) ?? new Map<string, Pod>()
    this.#pods.set(nodeName, pods)
    return pods
  }
}
