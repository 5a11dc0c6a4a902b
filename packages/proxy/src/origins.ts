/**
 * Origins: which node does an address belong to? A pod's address lies in its node's podCIDR; a node has its own.
 * Needed for internalTrafficPolicy Local, where the node of the client decides which backends it may use.
 */

import type { Node } from '@dinghy/shared/api/types'

export function nodeOfAddress(address: string, nodes: Node[]): string | undefined {
  const owner = nodes.find(({ spec, status }) => {
    const own = (status.addresses ?? []).some((one) => one.type === 'InternalIP' && one.address === address)
    return own || (spec.podCIDR !== undefined && contains(spec.podCIDR, address))
  })
  return owner?.metadata.name
}

/** IPv4 only: "127.64.1.0/24" contains "127.64.1.7". */
export function contains(cidr: string, address: string): boolean {
  const [network = '', bits = '32'] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  const [a, b] = [toNumber(network), toNumber(address)]
  return a !== undefined && b !== undefined && Math.floor(a / size) === Math.floor(b / size)
}

function toNumber(address: string): number | undefined {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return undefined
  return parts.reduce((number, part) => number * 256 + part, 0)
}
