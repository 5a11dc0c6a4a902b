/**
 * NodePorts: two pods on one node cannot both have the same host port.
 */

import type { ContainerPort, Pod } from '@dinghy/shared/api/types'
import { nodeIn, unschedulable, type Plugin } from '../framework.ts'

export const nodePorts: Plugin = {
  name: 'NodePorts',

  preFilter(pod) {
    const wanted = hostPorts(pod)
    if (wanted.length === 0) return undefined
    return ({ pods }) =>
      pods.some((other) => conflicts(wanted, hostPorts(other)))
        ? unschedulable("node(s) didn't have free ports for the requested pod ports")
        : undefined
  },

  isHelpedBy(event, pod) {
    if (event.type === 'AssignedPodDeleted') return conflicts(hostPorts(pod), hostPorts(event.pod))
    return nodeIn(event) !== undefined
  },
}

/** Ports of the containers that keep running: the ordinary ones and sidecars. */
function hostPorts(pod: Pod): ContainerPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always')
  return [...pod.spec.containers, ...sidecars].flatMap((one) => (one.ports ?? []).filter((port) => port.hostPort))
}

/** Binding to all addresses collides with binding to any one of them. */
function conflicts(wanted: readonly ContainerPort[], used: readonly ContainerPort[]): boolean {
  return wanted.some((a) =>
    used.some((b) => {
      const samePort = a.hostPort === b.hostPort && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP')
      const [addressA, addressB] = [a.hostIP || '0.0.0.0', b.hostIP || '0.0.0.0']
      return samePort && (addressA === addressB || addressA === '0.0.0.0' || addressB === '0.0.0.0')
    }),
  )
}
