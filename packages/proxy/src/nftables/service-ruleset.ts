/**
 * The table of Services: what the kernel of a node does with a packet that is addressed to a Service. Pure; the text of
 * `nft list table ip dinghy-proxy`, which is worth reading beside this.
 *
 *   prerouting, output ── address . protocol . port ──► map `services`, map `node-ports`
 *        │                                                  │ goto
 *        │                             external/NS/NAME/tcp/http      from outside: marked, so that answers come back
 *        │                                                  │ goto    through this node
 *        │                              service/NS/NAME/tcp/http      one backend of the cluster, at random
 *        │                                local/NS/NAME/tcp/http      … of this node (policy Local)
 *        │                                                  │ goto, with session affinity
 *        │                             endpoint/NS/NAME/tcp/http/10.244.1.2/8080    remembers the client
 *        ▼
 *   input, forward, output: `no-endpoints` refuses what nobody serves, drops what only other nodes serve
 *   postrouting: masquerade of what was marked, and of a pod that reaches itself
 *
 * The chains carry upstream's meaning (pkg/proxy/nftables/proxier.go). Differently: a chain for an endpoint exists
 * only with session affinity; without it the backend is chosen by one map. UDP, which has no connections: upstream
 * deletes the conntrack entries of endpoints that are gone. nft cannot, so a flow that would go to one is moved into a
 * conntrack zone of its own, where its next packet is new and meets today's rules (`stale-udp`); the packet that found
 * out is lost.
 */

import type { Backend } from '../rules/endpoints.ts'
import { localBackends, type ProxyNode, type ServiceInfo, type ServicePortInfo } from '../rules/service-info.ts'
import type { Chain, Ruleset, SetDeclaration } from './ruleset.ts'

export interface ServiceTableOptions {
  node: Pick<ProxyNode, 'name' | 'address'>
  /** Where pods are: whoever asks a Service from elsewhere gets the answer through this node. */
  clusterCidr: string
}

/** Upstream's bit, by which postrouting knows what to masquerade. */
const markForMasquerade = 'meta mark set meta mark | 0x4000'
const flow = 'ip saddr . udp sport . ip daddr . udp dport'

const staticSets: [string, SetDeclaration][] = [
  ['services', { kind: 'map', spec: 'type ipv4_addr . inet_proto . inet_service : verdict;' }],
  ['node-ports', { kind: 'map', spec: 'type inet_proto . inet_service : verdict;' }],
  ['no-endpoints', { kind: 'map', spec: 'type ipv4_addr . inet_proto . inet_service : verdict;' }],
  ['no-endpoints-node-ports', { kind: 'map', spec: 'type inet_proto . inet_service : verdict;' }],
  ['firewalls', { kind: 'map', spec: 'type ipv4_addr . inet_proto . inet_service : verdict;' }],
  ['cluster-ips', { kind: 'set', spec: 'type ipv4_addr;' }],
  ['hairpin', { kind: 'set', spec: 'type ipv4_addr . ipv4_addr;' }],
  ['udp-backends', { kind: 'set', spec: 'type ipv4_addr . inet_service;' }],
  [
    'stale-udp',
    {
      kind: 'set',
      spec: 'type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; size 65535;',
    },
  ],
]

function baseChains(nodeAddress: string): [string, Chain][] {
  const dispatch = ['ip daddr . meta l4proto . th dport vmap @services', `ip daddr ${nodeAddress} jump node-port`]
  const moveStale = [`meta l4proto udp ${flow} @stale-udp update @stale-udp { ${flow} } ct original zone set 1`]
  const findStale = [
    'meta l4proto udp ct status dnat ct direction original ct reply ip saddr . ct reply proto-src != @udp-backends goto stale',
  ]
  const refuse = [
    'ct state new ip daddr . meta l4proto . th dport vmap @no-endpoints',
    `ct state new ip daddr ${nodeAddress} meta l4proto . th dport vmap @no-endpoints-node-ports`,
  ]
  const refuseAddresses = [...refuse, 'ct state new ip daddr @cluster-ips reject']
  const firewall = ['ct state new ip daddr . meta l4proto . th dport vmap @firewalls']
  const chain = (kind: string, hook: string, priority: number, rules: string[]): Chain => ({
    hook: `type ${kind} hook ${hook} priority ${priority}; policy accept;`,
    rules,
  })
  return [
    ['stale', { rules: [`${flow} @stale-udp delete @stale-udp { ${flow} } drop`, `add @stale-udp { ${flow} } drop`] }],
    ['node-port', { rules: ['meta l4proto . th dport vmap @node-ports'] }],
    ['refuse', { rules: ['reject'] }],
    ['prerouting-zone', chain('filter', 'prerouting', -300, moveStale)],
    ['output-zone', chain('filter', 'output', -300, moveStale)],
    ['prerouting-filter', chain('filter', 'prerouting', -110, [...findStale, ...firewall])],
    ['output-filter', chain('filter', 'output', -110, [...findStale, ...firewall])],
    ['prerouting', chain('nat', 'prerouting', -100, dispatch)],
    ['output', chain('nat', 'output', -100, dispatch)],
    ['input-refuse', chain('filter', 'input', -110, refuse)],
    ['forward-refuse', chain('filter', 'forward', -110, refuseAddresses)],
    ['output-refuse', chain('filter', 'output', -90, refuseAddresses)],
    [
      'postrouting',
      chain('nat', 'postrouting', 100, [
        'ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random',
        'meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random',
      ]),
    ],
  ]
}

export function serviceRuleset(infos: Iterable<ServiceInfo>, options: ServiceTableOptions): Ruleset {
  const ruleset: Ruleset = {
    sets: new Map(staticSets),
    chains: new Map(baseChains(options.node.address)),
    elements: new Map(
      staticSets.flatMap(([name, { spec }]) => (spec.includes('dynamic') ? [] : [[name, new Map<string, string>()]])),
    ),
  }
  for (const { ports } of infos) for (const port of ports) addPort(ruleset, port, options)
  return ruleset
}

function addPort(ruleset: Ruleset, info: ServicePortInfo, { node, clusterCidr }: ServiceTableOptions): void {
  const id = `${info.service}/${info.protocol.toLowerCase()}/${info.portName || info.port}`
  const own = localBackends(info, node)
  const externalAddresses = [...info.externalIPs, ...info.loadBalancerIPs]
  const isExternal = externalAddresses.length > 0 || info.nodePort !== undefined
  const usesLocal = info.internalPolicy === 'Local' || (isExternal && info.externalPolicy === 'Local')

  if (info.backends.length > 0) addBackends(ruleset, `service/${id}`, info, info.backends, clusterCidr)
  if (usesLocal && own.length > 0) addBackends(ruleset, `local/${id}`, info, own, clusterCidr)
  if (isExternal && info.backends.length > 0) {
    ruleset.chains.set(`external/${id}`, { rules: externalRules(id, info, own.length > 0, clusterCidr) })
  }
  const internal = info.internalPolicy === 'Local' ? own : info.backends
  const internalChain = info.internalPolicy === 'Local' ? `local/${id}` : `service/${id}`
  for (const address of info.clusterIPs) {
    put(ruleset, 'cluster-ips', address, '')
    const key = addressKey(address, info)
    if (internal.length > 0) put(ruleset, 'services', key, `goto ${internalChain}`)
    else put(ruleset, 'no-endpoints', key, refusal(info))
  }
  const isUnserved = info.backends.length === 0 || (info.externalPolicy === 'Local' && own.length === 0)
  for (const address of externalAddresses) {
    const key = addressKey(address, info)
    if (info.backends.length > 0) put(ruleset, 'services', key, `goto external/${id}`)
    if (isUnserved) put(ruleset, 'no-endpoints', key, refusal(info))
  }
  if (info.nodePort !== undefined) {
    const key = `${info.protocol.toLowerCase()} . ${info.nodePort}`
    if (info.backends.length > 0) put(ruleset, 'node-ports', key, `goto external/${id}`)
    if (isUnserved) put(ruleset, 'no-endpoints-node-ports', key, refusal(info))
  }
  if (info.sourceRanges.length > 0 && info.loadBalancerIPs.length > 0) {
    // A rule for each range: in one set they must not overlap, and people's do.
    const allowed = info.sourceRanges.map((range) => `ip saddr ${range} return`)
    ruleset.chains.set(`firewall/${id}`, { rules: [...allowed, 'drop'] })
    for (const address of info.loadBalancerIPs) {
      put(ruleset, 'firewalls', addressKey(address, info), `goto firewall/${id}`)
    }
  }
}

function externalRules(id: string, info: ServicePortInfo, hasLocal: boolean, clusterCidr: string): string[] {
  if (info.externalPolicy === 'Cluster') return [markForMasquerade, `goto service/${id}`]
  return [
    // Whoever asks from inside the cluster would have been balanced by its own node: no need to keep to this one.
    `ip saddr ${clusterCidr} goto service/${id}`,
    `fib saddr type local ${markForMasquerade}`,
    `fib saddr type local goto service/${id}`,
    ...(hasLocal ? [`goto local/${id}`] : []),
  ]
}

/** A chain that sends a connection to one of these. */
function addBackends(
  ruleset: Ruleset,
  chain: string,
  info: ServicePortInfo,
  backends: Backend[],
  clusterCidr: string,
): void {
  for (const { address, port, node } of backends) {
    // A backend of another node cannot ask from here, but the set is the same everywhere and so easier to read.
    if (node !== undefined) put(ruleset, 'hairpin', `${address} . ${address}`, '')
    if (info.protocol === 'UDP') put(ruleset, 'udp-backends', `${address} . ${port}`, '')
  }
  const masquerade = info.clusterIPs.map(
    (address) => `ip daddr ${address} ip saddr != ${clusterCidr} ${markForMasquerade}`,
  )
  const choose = info.affinityMs === undefined ? [dnat(info, backends)] : sticky(ruleset, chain, info, backends)
  ruleset.chains.set(chain, { rules: [...masquerade, ...choose] })
}

function dnat({ protocol }: ServicePortInfo, backends: Backend[]): string {
  const verdict = `meta l4proto ${protocol.toLowerCase()} dnat ip to`
  const [only] = backends
  if (only && backends.length === 1) return `${verdict} ${only.address}:${only.port}`
  const choices = backends.map(({ address, port }, index) => `${index} : ${address} . ${port}`)
  return `${verdict} numgen random mod ${backends.length} map { ${choices.join(', ')} }`
}

/** With session affinity each endpoint has a chain, which remembers the client in a set that forgets by itself. */
function sticky(ruleset: Ruleset, chain: string, info: ServicePortInfo, backends: Backend[]): string[] {
  const seconds = Math.ceil((info.affinityMs ?? 0) / 1_000)
  const id = chain.slice(chain.indexOf('/') + 1)
  const endpoints = backends.map((backend) => {
    const name = `${id}/${backend.address}/${backend.port}`
    // The timeout is part of the name, because a set's declaration cannot change.
    const set = `affinity-${seconds}s/${name}`
    const spec = `type ipv4_addr; flags dynamic, timeout; timeout ${seconds}s; size 65535;`
    ruleset.sets.set(set, { kind: 'set', spec })
    const rules = [`update @${set} { ip saddr }`, dnat(info, [backend])]
    ruleset.chains.set(`endpoint/${name}`, { rules })
    return { set, chain: `endpoint/${name}` }
  })
  const choices = endpoints.map((endpoint, index) => `${index} : goto ${endpoint.chain}`)
  return [
    ...endpoints.map((endpoint) => `ip saddr @${endpoint.set} goto ${endpoint.chain}`),
    `numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }`,
  ]
}

function refusal({ backends }: ServicePortInfo): string {
  return backends.length === 0 ? 'goto refuse' : 'drop'
}

function addressKey(address: string, { protocol, port }: ServicePortInfo): string {
  return `${address} . ${protocol.toLowerCase()} . ${port}`
}

/** Two Services may want the same address and port (one externalIP, say): the first has it. */
function put(ruleset: Ruleset, set: string, key: string, value: string): void {
  const elements = ruleset.elements.get(set)
  if (elements && !elements.has(key)) elements.set(key, value)
}
