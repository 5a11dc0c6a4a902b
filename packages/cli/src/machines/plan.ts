/**
 * What a cluster's machines are made of, as lines for `ip -batch`: pure.
 *
 *   machine ── dinghy<slot> ═══ machine ┐
 *                                       ├ bridge "switch"   (namespace "switch")
 *   node-1 ── eth0 ═══════════ node-1 ──┤
 *   node-2 ── eth0 ═══════════ node-2 ──┘
 *
 * The switch has a namespace of its own, so that the machine's firewall never sees what nodes say to one another.
 * Every line may be said again: `replace` and `set` change nothing that is so already, and the "File exists" of an
 * `add` is no failure (`failuresIn`). So what makes a cluster's machines also finds them again and repairs them.
 */

import { type Addresses, addressesOf, machineLink } from '../cluster/addresses.ts'
import { type NumberedNode, numbered } from '../cluster/nodes.ts'
import type { ClusterConfig } from '../cluster/state-dir.ts'

export type Layout = Pick<ClusterConfig, 'slot' | 'nodes' | 'rootless'>

/** A file holds each namespace; the scripts run in the directory where they are. */
export function fileOf(name: string): string {
  return `./${name}`
}

export const switchName = 'switch'
/** Of an ordinary user: what the machine is to the nodes. */
export const machineName = 'machine'

/** Those that are switched on. */
export function nodesOn({ nodes }: Layout): NumberedNode[] {
  return numbered(nodes).filter(({ stopped }) => !stopped)
}

/** In the namespace "switch": the bridge, and the cable to the machine, whose namespace is `machine`. */
export function switchLines({ slot }: Layout, machine: string): string[] {
  return [
    `link add ${switchName} type bridge`,
    `link set ${switchName} up`,
    `link add machine type veth peer name ${machineLink(slot)} netns ${machine}`,
    `link set machine master ${switchName} up`,
  ]
}

/** On the machine itself. */
export function machineLines(layout: Layout): string[] {
  const addresses = addressesOfMachines(layout)
  const link = machineLink(layout.slot)
  return [
    `address replace ${addresses.machine}/24 dev ${link}`,
    `address replace ${addresses.ingress}/32 dev ${link}`,
    `link set ${link} up`,
    ...podRoutes(layout, addresses),
    serviceRoute(layout),
  ]
}

/** The machine has no proxy of its own, so it sends what is for a Service to any node whose cable is plugged in. */
export function serviceRoute(layout: Layout): string {
  const { node, serviceRange } = addressesOfMachines(layout)
  const hops = nodesOn(layout).flatMap(({ number, cut }) => (cut ? [] : [`nexthop via ${node(number)}`]))
  return `route replace ${hops.length === 0 ? 'unreachable ' : ''}${[serviceRange, ...hops].join(' ')}`
}

/** In the namespace of a node. Its pods are plugged in by its node-agent; one that is not there cannot be reached. */
export function nodeLines(layout: Layout, number: number): string[] {
  const addresses = addressesOfMachines(layout)
  return [
    'link set lo up',
    `link add eth0 type veth peer name ${portOf(number)} netns ${fileOf(switchName)}`,
    `address replace ${addresses.node(number)}/24 dev eth0`,
    'link set eth0 up',
    `route replace default via ${addresses.machine}`,
    `route replace unreachable ${addresses.podCidr(number)}`,
    ...podRoutes(layout, addresses, number),
  ]
}

/** In the namespace "switch" again, when the nodes have their ends of the cables. */
export function cableLines(layout: Layout): string[] {
  return nodesOn(layout).map(
    ({ number, cut }) => `link set ${portOf(number)} master ${switchName} ${cut ? 'down' : 'up'}`,
  )
}

/** A node's end of the cable, in the switch. */
export function portOf(number: number): string {
  return `node-${number}`
}

/** For `tc -batch`, in the switch: whatever goes to such a node is late. */
export function delayLines(layout: Layout): string[] {
  return nodesOn(layout).flatMap(({ number, delay }) =>
    delay === undefined ? [] : [`qdisc replace dev ${portOf(number)} root netem delay ${delay}`],
  )
}

/** What `ip -force -batch` wrote to standard error, without what only says that it is there already. */
export function failuresIn(stderr: string): string[] {
  const isNews = (line: string) => !/^RTNETLINK answers: File exists$|^Command failed -:\d+$|^\s*$/.test(line)
  return stderr.split('\n').filter(isNews)
}

function podRoutes({ nodes }: Layout, addresses: Addresses, except?: number): string[] {
  const numbers = numbered(nodes).flatMap(({ number }) => (number === except ? [] : [number]))
  return numbers.map((number) => `route replace ${addresses.podCidr(number)} via ${addresses.node(number)}`)
}

function addressesOfMachines({ slot }: Layout): Addresses {
  return addressesOf({ network: 'machines', slot })
}
