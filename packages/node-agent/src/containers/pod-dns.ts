/**
 * Which name servers a pod asks, by its dnsPolicy. Pure. Follows upstream's pkg/kubelet/network/dns.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { HostConfig } from '@dinghy/shared/docker/types'

export interface DnsSettings {
  /** The cluster's name servers; empty when the cluster has none, and then every pod uses the machine's. */
  servers: string[]
  /** "cluster.local" */
  domain: string
}

export type DnsOptions = Pick<HostConfig, 'Dns' | 'DnsSearch' | 'DnsOptions'>

/** Nothing at all means: the machine's own resolv.conf. */
export function podDns({ spec, metadata }: Pod, { servers, domain }: DnsSettings): DnsOptions {
  const policy = spec.dnsPolicy ?? 'ClusterFirst'
  // A pod in the host's network sees the host's names, unless it insists.
  const wantsCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !spec.hostNetwork)
  const usesCluster = wantsCluster && servers.length > 0
  const own = spec.dnsConfig
  const search = usesCluster ? [`${metadata.namespace ?? 'default'}.svc.${domain}`, `svc.${domain}`, domain] : []
  const merged = {
    Dns: unique([...(usesCluster ? servers : []), ...(own?.nameservers ?? [])]),
    DnsSearch: unique([...search, ...(own?.searches ?? [])]),
    DnsOptions: mergeOptions(usesCluster ? ['ndots:5'] : [], own?.options ?? []),
  }
  return Object.fromEntries(Object.entries(merged).filter(([, list]) => list.length > 0))
}

/** The pod's own option of the same name wins. */
function mergeOptions(defaults: string[], own: { name?: string; value?: string }[]): string[] {
  const options = new Map(defaults.map((option) => [option.replace(/:.*/, ''), option]))
  for (const { name, value } of own) if (name) options.set(name, value === undefined ? name : `${name}:${value}`)
  return [...options.values()]
}

function unique(list: string[]): string[] {
  return [...new Set(list)]
}
