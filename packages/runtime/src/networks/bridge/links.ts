/**
 * Bridges, veth pairs and addresses as input of `ip -batch`. Pure, so a table test can read what will be done, and so
 * can anybody in run/prelude of a live container.
 *
 *   machine                                     container
 *   br-… ──┬── veth… ═══════ one cable ═══════ eth0 172.17.0.2/16, default route via the bridge
 *          └── veth… ═══ another container's
 *
 * An interface is made in two moves: the machine plugs one end of a new cable into the bridge and puts the other end
 * into the container's namespace (portBatch); then it is given its address from the inside (interfaceBatch).
 */
import type { NetworkInterface } from '../network-interface.ts'
import { parseAddress } from '../ipam.ts'

/**
 * How a MAC is made of an address, so that an address that is given again is found at once: 02:42 and the four bytes.
 */
export function macOf(ip: string): string {
  const bytes = parseAddress(ip).toString(16).padStart(8, '0').match(/../g) ?? []
  return ['02', '42', ...bytes].join(':')
}

export interface BridgePlan {
  name: string
  /** Its own address, with the prefix of the network: 172.17.0.1/16. */
  address: string
  mtu: number
  /** Says whose it is; of aliasOf(). */
  owner: string
}

/** What the kernel takes as an alias, and `ip -batch` as a word in quotes. */
export function aliasOf(text: string): string {
  return text.replaceAll(/[^ -~]|["#\\]/g, '_').slice(0, 250)
}

/**
 * The second name claims the subnet: names are unique on a machine, so of two runtimes that want the same subnet at the
 * same moment one is refused by the kernel. Without a MAC of its own a bridge takes that of some port, and changes it.
 */
export function bridgeBatch({ name, address, mtu, owner }: BridgePlan): string {
  const [ip = ''] = address.split('/')
  return lines(
    `link add name ${name} address ${macOf(ip)} mtu ${mtu} type bridge`,
    `link property add dev ${name} altname ${claimOf(address)}`,
    `link set dev ${name} alias "${owner}" addrgenmode none`,
    `addr add ${address} dev ${name}`,
    `link set dev ${name} up`,
  )
}

/** Prefixes differ, but who asks for overlapping subnets is told by the routes; see bridges.ts. */
function claimOf(address: string): string {
  return `dinghy-${address.replace('/', '-')}`
}

/** The machine's side. `netns` is the path of the container's namespace. */
export function portBatch(interfaces: NetworkInterface[], netns: string): string {
  return lines(
    ...interfaces.flatMap(({ name, port, bridge, mac, mtu, address, isolated }) => [
      `link add name ${port} mtu ${mtu} type veth peer name ${name} address ${mac} mtu ${mtu} netns ${netns}`,
      `link set dev ${port} master ${bridge} addrgenmode none up`,
      ...(isolated ? [`link set dev ${port} type bridge_slave isolated on`] : []),
      // Who had this address before may have had another MAC.
      `neigh replace ${address.split('/')[0]} lladdr ${mac} dev ${bridge} nud stale`,
    ]),
  )
}

/** Docker's name server has this address in every container. */
export const nameServerAddress = '127.0.0.11'

/** The container's side. */
export function interfaceBatch(interfaces: NetworkInterface[]): string {
  return lines(
    'link set dev lo up',
    ...interfaces.flatMap(({ name, address }) => [
      `addr add ${address} broadcast + dev ${name}`,
      `link set dev ${name} up`,
    ]),
    ...routes(interfaces),
  )
}

/**
 * The way out, and that questions to the name server have an address of the container as their source: with one of the
 * loopback interface, which is what they would have, they could not leave the namespace.
 */
export function routes(interfaces: NetworkInterface[]): string[] {
  return interfaces.flatMap(({ name, address, gateway, nameServer }) => [
    ...(gateway === undefined ? [] : [`route replace default via ${gateway} dev ${name}`]),
    ...(nameServer === undefined
      ? []
      : [`route replace local ${nameServerAddress} dev lo src ${address.split('/')[0]} table local`]),
  ])
}

/**
 * For `nft -f` in the container's namespace: questions to its name server go to where that is. Replaces what was said
 * before; empty where there is no name server and `hadOne` is not said.
 */
export function nameServerRules(interfaces: NetworkInterface[], hadOne = false): string {
  const { address, port } = interfaces.find(({ nameServer }) => nameServer !== undefined)?.nameServer ?? {}
  if (address === undefined && !hadOne) return ''
  const fresh = lines('table ip dinghy-names', 'delete table ip dinghy-names')
  if (address === undefined) return fresh
  return `${fresh}table ip dinghy-names {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr ${nameServerAddress} meta l4proto { tcp, udp } th dport 53 dnat to ${address}:${port}
  }
}
`
}

/**
 * The same from the outside, as a script for `sh` in the machine's namespace: a hook of an OCI runtime, which says the
 * pid.
 */
export function linkScript(interfaces: NetworkInterface[]): string {
  const rules = nameServerRules(interfaces)
  const nftLines = rules === '' ? [] : ['nft -f - <<NAMES', rules.trimEnd(), 'NAMES']
  return lines(
    'set -e',
    // The container's state, JSON of one line or many.
    `pid=$(sed -n 's/.*"pid" *: *\\([0-9][0-9]*\\).*/\\1/p')`,
    'ip -batch - <<MACHINE',
    portBatch(interfaces, '/proc/$pid/ns/net').trimEnd(),
    'MACHINE',
    `exec nsenter --net="/proc/$pid/ns/net" sh -s <<'CONTAINER'`,
    'cd /proc/sys/net/ipv6/conf 2>/dev/null && for name in default eth*; do echo 1 >"$name/disable_ipv6"; done',
    ...nftLines,
    'exec ip -batch - <<INTERFACES',
    interfaceBatch(interfaces).trimEnd(),
    'INTERFACES',
    'CONTAINER',
  )
}

/**
 * Both moves as shell lines for the prelude of a new container, in the background ($linking) while it mounts its files.
 * The shim, whose pid is on disk, has stayed in the machine's namespace. IPv6 is off for what is plugged in, as Docker
 * does on networks without it; nothing waits for its duplicate address detection.
 */
export function linkLines(interfaces: NetworkInterface[]): string[] {
  const rules = nameServerRules(interfaces)
  const [andNft, nftLines] =
    rules === '' ? ['', []] : [' && nft -f - <<NAMES', [...rules.trimEnd().split('\n'), 'NAMES']]
  const noIPv6 = '/proc/sys/net/ipv6/conf/default/disable_ipv6'
  return [
    `if [ -e ${noIPv6} ]; then echo 1 >${noIPv6}; fi`,
    'read -r shim <"$run/shim"',
    `{ nsenter --net="/proc/$shim/ns/net" ip -batch - <<MACHINE && ip -batch - <<CONTAINER${andNft}`,
    ...portBatch(interfaces, '/proc/$pid/ns/net').trimEnd().split('\n'),
    'MACHINE',
    ...interfaceBatch(interfaces).trimEnd().split('\n'),
    'CONTAINER',
    ...nftLines,
    '} &',
    'linking=$!',
  ]
}

function lines(...all: string[]): string {
  return `${all.join('\n')}\n`
}
