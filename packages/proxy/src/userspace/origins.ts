/**
 * Origins: which node does an address belong to? A pod's address lies in its node's podCIDR; a node has its own.
 * Needed for internalTrafficPolicy Local, where the node of the client decides which backends it may use.
 */

import type { Node } from '@dinghy/shared/api/types'
import { contains } from '@dinghy/shared/api/ipv4'

export function nodeOfAddress(address: string, nodes: Node[]): string | undefined {
  const owner = nodes.find(({ spec, status }) => {
    const own = (status.addresses ?? []).some((one) => one.type === 'InternalIP' && one.address === address)
    return own || (spec.podCIDR !== undefined && contains(spec.podCIDR, address))
  })
  return owner?.metadata.name
}
