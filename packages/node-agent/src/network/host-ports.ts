/**
 * hostPorts: ports of a node that lead to one of its pods. As in upstream's CNI plugin `portmap`: addresses are
 * rewritten on their way in. One nft table in the node's namespace, which is always replaced as a whole.
 */

import type { Pod } from '@dinghy/shared/api/types'

export interface HostPort {
  /** An address of the node; absent: all of them. */
  hostIP?: string
  hostPort: number
  containerPort: number
  protocol: 'TCP' | 'UDP' | 'SCTP'
}

export function hostPortsOf({ spec }: Pod): HostPort[] {
  if (spec.hostNetwork) return []
  const containers = [
    ...(spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always'),
    ...spec.containers,
  ]
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ containerPort, hostPort, hostIP, protocol = 'TCP' }) => {
      if (!hostPort) return []
      const one = !hostIP || hostIP === '0.0.0.0' ? {} : { hostIP }
      return [{ ...one, hostPort, containerPort, protocol: protocol as HostPort['protocol'] }]
    }),
  )
}

/** The ports of one pod. */
export interface Mapping {
  address: string
  ports: HostPort[]
}

/** A shell script. Before the table of the proxy, which knows nothing of these ports. Pure. */
export function hostPortsScript(mappings: Mapping[]): string {
  const table = 'table ip dinghy-hostports'
  const rules = mappings.flatMap(({ address, ports }) =>
    ports.map(
      ({ hostIP, hostPort, containerPort, protocol }) =>
        `    ${hostIP === undefined ? '' : `ip daddr ${hostIP} `}${protocol.toLowerCase()} dport ${hostPort} dnat to ${address}:${containerPort}`,
    ),
  )
  // A pod that calls its own hostPort would otherwise get an answer from itself, which it did not expect.
  const loops = mappings.map(({ address }) => `    ip saddr ${address} ip daddr ${address} masquerade`)
  return `nft -f - <<END
${table}
delete ${table}
${table} {
  chain hostports {
${rules.join('\n')}
  }
  chain prerouting {
    type nat hook prerouting priority -101; policy accept;
    fib daddr type local jump hostports
  }
  chain output {
    type nat hook output priority -101; policy accept;
    fib daddr type local jump hostports
  }
  chain postrouting {
    type nat hook postrouting priority 99; policy accept;
${loops.join('\n')}
  }
}
END
`
}
