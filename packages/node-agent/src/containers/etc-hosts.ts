/**
 * A pod's /etc/hosts, which the node agent writes because all containers of the pod share it. Pure.
 * Follows upstream's managedHostsFileContent, line for line.
 */

import type { Pod } from '@dinghy/shared/api/types'

const localLines = [
  '# Kubernetes-managed hosts file.',
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]

/** `machineHosts`: the machine's own file, on which a pod in the host's network builds. */
export function hostsFile(pod: Pod, facts: { podIP: string; hostname: string; machineHosts: string }): string {
  const { hostAliases = [], hostNetwork, subdomain } = pod.spec
  const aliases = hostAliases.map(({ ip, hostnames = [] }) => [ip, ...hostnames].join('\t'))
  const own = hostNetwork
    ? ['# Kubernetes-managed hosts file (host network).', facts.machineHosts.replace(/\n$/, '')]
    : [...localLines, [facts.podIP, ...namesOf(pod, facts.hostname, subdomain)].join('\t')]
  const added = aliases.length > 0 ? ['', '# Entries added by HostAliases.', ...aliases] : []
  return `${[...own, ...added].join('\n')}\n`
}

function namesOf(pod: Pod, hostname: string, subdomain: string | undefined): string[] {
  if (!subdomain) return [hostname]
  return [`${hostname}.${subdomain}.${pod.metadata.namespace ?? 'default'}.svc.cluster.local`, hostname]
}
