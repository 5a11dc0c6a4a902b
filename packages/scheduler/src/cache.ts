/**
 * SchedulerCache: the nodes and who is on them, including pods that were placed a moment ago.
 *
 *           assume ──► assumed ── informer shows it bound ──► known ── deleted or finished ──► gone
 *                         └── forget (binding failed) ──► gone
 *
 * Callers may rely on: from assume() on, every snapshot counts the pod on its node, so the next pod never sees a room
 * that is already given away; what the informer says always wins over what was assumed. A node or a pod that cannot be
 * read (a quantity that is none, say) is left out, and said in the log: it must not keep all others from being placed.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import type { Node, Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { podRequests, podRequestsAssumed } from './resources.ts'
import { nodeInfo, type Lookups, type NodeInfo, type Snapshot } from './snapshot.ts'

interface Entry {
  node: Node | undefined
  /** By key. Pods may be heard of before their node is. */
  pods: Map<string, Pod>
  /** Computed when a snapshot is taken, dropped when anything here changes. */
  info: NodeInfo | 'unreadable' | undefined
}

export class SchedulerCache {
  readonly #log: Logger
  readonly #entries = new Map<string, Entry>()
  /** Where each pod is counted. */
  readonly #nodeOf = new Map<string, string>()
  readonly #assumed = new Map<string, Pod>()

  constructor({ log }: { log: Logger }) {
    this.#log = log
  }

  setNode(node: Node): void {
    const entry = this.#entry(node.metadata.name)
    entry.node = node
    entry.info = undefined
  }

  /** Its pods are still counted: should it come back, they are on it. */
  removeNode(name: string): void {
    const entry = this.#entry(name)
    entry.node = undefined
    entry.info = undefined
    this.#drop(name, entry)
  }

  node(name: string): Node | undefined {
    return this.#entries.get(name)?.node
  }

  /** The pod is bound, says the API server. */
  setPod(pod: Pod): void {
    this.#assumed.delete(keyOf(pod))
    this.#place(pod, pod.spec.nodeName ?? '')
  }

  /** Returns whether the pod was counted on a node at all. */
  removePod(key: string): boolean {
    this.#assumed.delete(key)
    return this.#remove(key)
  }

  /** The pod will be bound to this node: count it there from now on. */
  assume(pod: Pod, nodeName: string): void {
    const placed = { ...pod, spec: { ...pod.spec, nodeName } }
    this.#assumed.set(keyOf(pod), placed)
    this.#place(placed, nodeName)
  }

  /** The binding failed. Does nothing if the informer has shown it bound after all. */
  forget(pod: Pod): void {
    if (this.isAssumed(pod)) this.removePod(keyOf(pod))
  }

  /** Whether this very pod (not an earlier one of the same name) is on its way to a node. */
  isAssumed(pod: Pod): boolean {
    return this.#assumed.get(keyOf(pod))?.metadata.uid === pod.metadata.uid
  }

  snapshot(lookups: Lookups, nominated: ReadonlyMap<string, readonly Pod[]> = new Map()): Snapshot {
    const nodes: NodeInfo[] = []
    for (const entry of this.#entries.values()) {
      if (entry.node === undefined) continue
      entry.info ??= this.#infoOf(entry.node, entry.pods)
      if (entry.info !== 'unreadable') nodes.push(entry.info)
    }
    return { nodes, lookups, nominated }
  }

  #infoOf(node: Node, pods: Entry['pods']): NodeInfo | 'unreadable' {
    try {
      return nodeInfo(node, [...pods.values()])
    } catch (error) {
      this.#log.error({ node: node.metadata.name, err: error }, 'the node cannot be read: nothing is placed on it')
      return 'unreadable'
    }
  }

  #isCountable(pod: Pod): boolean {
    try {
      podRequests(pod)
      podRequestsAssumed(pod)
      return true
    } catch (error) {
      this.#log.error({ pod: keyOf(pod), err: error }, 'the pod cannot be read: its node is taken to be without it')
      return false
    }
  }

  #place(pod: Pod, nodeName: string): void {
    const key = keyOf(pod)
    this.#remove(key)
    if (!this.#isCountable(pod)) return
    const entry = this.#entry(nodeName)
    entry.pods.set(key, pod)
    entry.info = undefined
    this.#nodeOf.set(key, nodeName)
  }

  #remove(key: string): boolean {
    const nodeName = this.#nodeOf.get(key)
    if (nodeName === undefined) return false
    const entry = this.#entry(nodeName)
    entry.pods.delete(key)
    entry.info = undefined
    this.#nodeOf.delete(key)
    this.#drop(nodeName, entry)
    return true
  }

  #entry(nodeName: string): Entry {
    const known = this.#entries.get(nodeName)
    if (known) return known
    const entry: Entry = { node: undefined, pods: new Map(), info: undefined }
    this.#entries.set(nodeName, entry)
    return entry
  }

  /** A node that is gone is remembered only as long as pods are counted on it. */
  #drop(nodeName: string, { node, pods }: Entry): void {
    if (node === undefined && pods.size === 0) this.#entries.delete(nodeName)
  }
}
