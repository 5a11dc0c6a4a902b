/**
 * The table of NetworkPolicies of one node: what its pods may send and may be sent. Pure; the text of
 * `nft list table ip dinghy-policy`.
 *
 *   forward, input ── sender is a pod of this node that is isolated ──► egress/NS/POD ──► allow-egress/NS/POLICY …
 *   forward ── receiver is one ──────────────────────────────────────► ingress/NS/POD ──► allow-ingress/NS/POLICY …
 *                                                                            └ nobody allowed it: dropped, and counted
 *
 * Callers may rely on: Services are resolved before (the table of Services comes first) and the sender's address is
 * still its own, so that rules speak of pods; answers pass; what the node itself sends to its pods (probes,
 * port-forward) passes, because it is not forwarded. A named port is the number that each pod gives it: a set of
 * "address . port".
 */

import { isIPv4 } from '@dinghy/shared/api/ipv4'
import { keyOf } from '@dinghy/shared/api/keys'
import {
  isSubject,
  meansPod,
  namedPort,
  policiesOf,
  rulesOf,
  type Direction,
  type PolicyPeer,
  type PolicyPort,
  type PolicyRule,
} from '@dinghy/shared/api/network-policy'
import type { Labels } from '@dinghy/shared/api/selectors'
import type { NetworkPolicy, Pod } from '@dinghy/shared/api/types'
import { tableName, type Chain, type Ruleset } from '../nftables/ruleset.ts'

export interface PolicyWorld {
  node: string
  policies: readonly NetworkPolicy[]
  /** Of all nodes. */
  pods: readonly Pod[]
  namespaceLabels: (namespace: string) => Labels | undefined
}

const addressOf = { Ingress: 'ip saddr', Egress: 'ip daddr' } as const

function baseChains(): [string, Chain][] {
  const passing = ['ct state established,related accept', 'ip saddr . ip daddr @itself accept']
  const chain = (hook: string, priority: number, rule: string): Chain => ({
    hook: `type filter hook ${hook} priority ${priority}; policy accept;`,
    rules: [...passing, rule],
  })
  return [
    // Two chains, because what one has accepted the other is still asked about.
    ['forward-egress', chain('forward', 0, 'ip saddr vmap @egress')],
    ['forward-ingress', chain('forward', 1, 'ip daddr vmap @ingress')],
    ['input-egress', chain('input', 0, 'ip saddr vmap @egress')],
  ]
}

/** Undefined when there is nothing to enforce, and so no table. */
export function policyRuleset(world: PolicyWorld): Ruleset | undefined {
  if (world.policies.length === 0) return undefined
  const ruleset: Ruleset = { sets: new Map(), chains: new Map(baseChains()), elements: new Map() }
  addSet(ruleset, 'itself', 'type ipv4_addr . ipv4_addr;', [])
  addSet(ruleset, 'egress', 'type ipv4_addr : verdict;', [], 'map')
  addSet(ruleset, 'ingress', 'type ipv4_addr : verdict;', [], 'map')
  const pods = world.pods.filter(isSubject)
  const used = { Ingress: new Map<string, Isolation>(), Egress: new Map<string, Isolation>() }
  for (const pod of pods.filter(({ spec }) => spec.nodeName === world.node)) {
    for (const direction of ['Egress', 'Ingress'] as const) isolate(ruleset, pod, direction, world, used[direction])
  }
  for (const direction of ['Egress', 'Ingress'] as const) {
    for (const isolation of used[direction].values()) addPolicy(ruleset, isolation, direction, { ...world, pods })
  }
  return ruleset
}

interface Isolation {
  policy: NetworkPolicy
  /** The pods of this node that are under it. */
  selected: Pod[]
}

function isolate(
  ruleset: Ruleset,
  pod: Pod,
  direction: Direction,
  { policies }: PolicyWorld,
  used: Map<string, Isolation>,
): void {
  const own = policiesOf(pod, policies, direction)
  if (own.length === 0) return
  const side = direction.toLowerCase()
  const address = pod.status.podIP ?? ''
  const chain = tableName(`${side}/${keyOf(pod)}`)
  ruleset.chains.set(chain, { rules: [...own.map((policy) => `jump ${allowing(policy, direction)}`), 'counter drop'] })
  ruleset.elements.get(side)?.set(address, `goto ${chain}`)
  ruleset.elements.get('itself')?.set(`${address} . ${address}`, '')
  for (const policy of own) {
    const isolation = used.get(keyOf(policy)) ?? { policy, selected: [] }
    isolation.selected.push(pod)
    used.set(keyOf(policy), isolation)
  }
}

function addPolicy(ruleset: Ruleset, isolation: Isolation, direction: Direction, world: PolicyWorld): void {
  const { policy } = isolation
  const rules = rulesOf(policy, direction).flatMap((rule, index) => {
    const name = `${direction.toLowerCase()}/${keyOf(policy)}/${index}`
    const peers = rule.peers?.flatMap((peer, i) => peerMatch(ruleset, `${name}/${i}`, peer, policy, direction, world))
    const ports = rule.ports?.flatMap((port) => portMatch(ruleset, name, port, rule, isolation, direction, world))
    return (peers ?? ['']).flatMap((peer) => (ports ?? ['']).map((port) => `${peer}${port}accept`))
  })
  ruleset.chains.set(allowing(policy, direction), { rules })
}

/** Nothing for a peer that no packet of IPv4 can come from. */
function peerMatch(
  ruleset: Ruleset,
  name: string,
  peer: PolicyPeer,
  policy: NetworkPolicy,
  direction: Direction,
  { pods, namespaceLabels }: PolicyWorld,
): string[] {
  const field = addressOf[direction]
  if (peer.ipBlock) {
    const { cidr, except = [] } = peer.ipBlock
    if (!isRange(cidr)) return []
    const excepted = except.filter(isRange).map((range) => `${field} != ${range} `)
    return [`${field} ${cidr} ${excepted.join('')}`]
  }
  const set = tableName(`peers-${name}`)
  const meant = pods.filter((pod) => meansPod(peer, policy.metadata.namespace, pod, namespaceLabels))
  const addresses = meant.map(({ status }) => status.podIP ?? '')
  addSet(ruleset, set, 'type ipv4_addr;', addresses)
  return [`${field} @${set} `]
}

function portMatch(
  ruleset: Ruleset,
  name: string,
  { port, endPort, protocol = 'TCP' }: PolicyPort,
  { peers }: PolicyRule,
  { policy, selected }: Isolation,
  direction: Direction,
  { pods, namespaceLabels }: PolicyWorld,
): string[] {
  const match = `meta l4proto ${protocol.toLowerCase()} `
  if (port === undefined) return [match]
  if (typeof port === 'number') return [`${match}th dport ${endPort === undefined ? port : `${port}-${endPort}`} `]
  // Named by whoever receives: the pods under the policy, or those that they may send to.
  const isMeant = (pod: Pod) =>
    !peers || peers.some((peer) => meansPod(peer, policy.metadata.namespace, pod, namespaceLabels))
  const receivers = direction === 'Ingress' ? selected : pods.filter(isMeant)
  const set = tableName(`ports-${name}/${port}/${protocol.toLowerCase()}`)
  const elements = receivers.flatMap((pod) => {
    const number = namedPort(pod, port, protocol)
    return number === undefined ? [] : [`${pod.status.podIP} . ${number}`]
  })
  addSet(ruleset, set, 'type ipv4_addr . inet_service;', elements)
  return [`${match}ip daddr . th dport @${set} `]
}

function allowing(policy: NetworkPolicy, direction: Direction): string {
  return tableName(`allow-${direction.toLowerCase()}/${keyOf(policy)}`)
}

function addSet(ruleset: Ruleset, name: string, spec: string, keys: string[], kind: 'set' | 'map' = 'set'): void {
  ruleset.sets.set(name, { kind, spec })
  ruleset.elements.set(name, new Map(keys.map((key) => [key, ''])))
}

function isRange(range: string): boolean {
  return isIPv4(range.split('/')[0] ?? '')
}
