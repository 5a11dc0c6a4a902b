/**
 * How a pod is plugged into its node, as lines for `ip -batch`: pure. Point to point, as the CNI plugin `ptp` does it,
 * which kind's clusters have:
 *
 *   pod   eth0 10.244.1.5/32 ═══ veth<id> 10.244.1.1/32   node, with a route 10.244.1.5 dev veth<id>
 *
 * There is no bridge, so whatever pods of one node say to one another is routed by the node: Services and policies see
 * it. The routes are also the only book of who has which address. They go with the pod's namespace, so there is nothing
 * that could be left behind.
 */

import { numberOf, textOf } from './ipv4.ts'

/** Which addresses a node gives to its pods. */
export interface PodRange {
  /** On the node's end of every cable. */
  gateway: string
  first: number
  last: number
}

/** "10.244.1.0/24": .1 is the node's, .2 to .254 the pods'. */
export function podRangeOf(podCidr: string): PodRange {
  const [base = '', bits = '24'] = podCidr.split('/')
  const start = numberOf(base)
  return { gateway: textOf(start + 1), first: start + 2, last: start + 2 ** (32 - Number(bits)) - 2 }
}

/** The node's end of the cable of a sandbox. The kernel takes 15 letters. */
export function vethOf(sandboxId: string): string {
  return `veth${sandboxId.slice(0, 11)}`
}

/** /proc/net/route of the node: which end of a cable leads to which address. */
export function pluggedIn(table: string): Map<string, string> {
  const plugged = new Map<string, string>()
  for (const row of table.split('\n')) {
    const [link = '', destination = '', , , , , , mask] = row.split(/\s+/)
    if (!link.startsWith('veth') || mask !== 'FFFFFFFF') continue
    const bytes = destination.match(/../g) ?? []
    plugged.set(
      link,
      bytes
        .toReversed()
        .map((byte) => Number.parseInt(byte, 16))
        .join('.'),
    )
  }
  return plugged
}

/**
 * The next free address after `last`, so that one that was just given back rests for a while. Undefined when all are
 * taken.
 */
export function nextAddress(
  { first, last }: PodRange,
  taken: ReadonlySet<string>,
  latest?: string,
): string | undefined {
  const size = last - first + 1
  const start = latest === undefined ? 0 : numberOf(latest) + 1 - first
  for (let step = 0; step < size; step++) {
    const address = textOf(first + ((start + step) % size))
    if (!taken.has(address)) return address
  }
  return undefined
}

export interface Cable {
  veth: string
  address: string
  gateway: string
}

/** In the pod's namespace; `node` is the namespace of the node, as a path. */
export function podLines({ veth, address, gateway }: Cable, node: string): string[] {
  return [
    `link add eth0 type veth peer name ${veth} netns ${node}`,
    `address add ${address}/32 dev eth0`,
    'link set eth0 up',
    `route add ${gateway} dev eth0 scope link`,
    `route add default via ${gateway}`,
  ]
}

/** In the node's. The route comes last: who finds it finds a pod that is plugged in. */
export function nodeLines({ veth, address, gateway }: Cable): string[] {
  return [`address add ${gateway}/32 dev ${veth}`, `link set ${veth} up`, `route add ${address} dev ${veth} scope link`]
}

export function plugScript(cable: Cable, pid: number, node: string): string {
  return `nsenter --net=/proc/${pid}/ns/net ip -batch - <<POD && ip -batch - <<NODE
${podLines(cable, node).join('\n')}
POD
${nodeLines(cable).join('\n')}
NODE
`
}
