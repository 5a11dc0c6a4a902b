/**
 * NodeUnschedulable: a cordoned node (`kubectl cordon`) takes no new pods, except those that tolerate it, such as
 * a DaemonSet's.
 */

import { tolerates } from '@dinghy/shared/api/taints'
import type { Node, Pod } from '@dinghy/shared/api/types'
import { nodeIn, unresolvable, type Plugin } from '../framework.ts'

const cordoned = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',

  preFilter: (pod) => (info) => (accepts(info.node, pod) ? undefined : unresolvable('node(s) were unschedulable')),

  isHelpedBy(event, pod) {
    const node = nodeIn(event)
    return node !== undefined && accepts(node, pod)
  },
}

function accepts(node: Node, pod: Pod): boolean {
  return node.spec.unschedulable !== true || (pod.spec.tolerations ?? []).some((one) => tolerates(one, cordoned))
}
