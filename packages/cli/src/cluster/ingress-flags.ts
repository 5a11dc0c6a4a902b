/**
 * Where the ingress listens, as its flags: at an address of the cluster, and at localhost for the person. Pure.
 *
 * Who may not have ports 80 and 443 gets 8080 and 8443 instead; at localhost these are there in any case, each cluster
 * beside the other. A port that is taken is told by the ingress' log and is no failure.
 */

import { addressesOf } from './addresses.ts'
import type { ClusterConfig } from './state-dir.ts'

export function ingressFlags(config: Pick<ClusterConfig, 'network' | 'slot' | 'lowPorts'>): Record<string, string> {
  const { slot, network } = config
  // In a network that is the cluster's own everybody is its administrator.
  const lowPorts = config.lowPorts === true || network === 'machines'
  const { ingress } = addressesOf(config)
  const listen = (low: number, high: number) => [
    ...(lowPorts ? [`${ingress}:${low}`, `127.0.0.1:${low}`] : [`${ingress}:${high}`]),
    `127.0.0.1:${high + slot}`,
  ]
  return {
    'http-listen': listen(80, 8080).join(),
    'https-listen': listen(443, 8443).join(),
    'publish-address': ingress,
  }
}
