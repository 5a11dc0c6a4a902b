/**
 * The node's own object, as the cluster has it at this moment. Labels, taints and extended resources are put on it by
 * people and other programs, and the kubelet goes by what it says: in admission, in the downward API and when it writes
 * the status. Follows upstream, where the kubelet asks its node lister (getNodeAnyWay).
 *
 * Callers may rely on: the newest version that was seen, by watch or as the answer to a request, whichever came last;
 * before the node is registered, what this agent is going to register.
 */

import { Nodes } from '@dinghy/shared/api/resources'
import type { Node } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Lister } from '@dinghy/shared/client/lister'
import type { NodeFacts } from '../pods/admission.ts'
import type { Machine } from './machine.ts'
import { allocatableOf, nodeLabels } from './node-object.ts'

export interface LiveNodeDeps {
  client: ApiClient
  nodes: Lister<Node>
  name: string
  machine: Machine
}

export class LiveNode {
  readonly #deps: LiveNodeDeps
  #answered: Node | undefined

  constructor(deps: LiveNodeDeps) {
    this.#deps = deps
  }

  get object(): Node | undefined {
    const watched = this.#deps.nodes.get(this.#deps.name)
    return isNewer(this.#answered, watched) ? this.#answered : watched
  }

  get facts(): NodeFacts {
    const { name, machine } = this.#deps
    const { object } = this
    const labels = object ? (object.metadata.labels ?? {}) : nodeLabels(name, machine)
    return { name, labels, allocatable: { ...allocatableOf(machine), ...object?.status.allocatable } }
  }

  /** What the server has answered to a request of ours. */
  learn(node: Node): void {
    this.#answered = node
  }

  /** Asks the server: our watch may be behind the scheduler's. */
  async refresh(signal: AbortSignal): Promise<Node> {
    const { client, name } = this.#deps
    const node = await client.get(Nodes, { name }, {}, signal)
    this.learn(node)
    return node
  }
}

function isNewer(a: Node | undefined, b: Node | undefined): boolean {
  return Number(a?.metadata.resourceVersion ?? -1) > Number(b?.metadata.resourceVersion ?? -1)
}
