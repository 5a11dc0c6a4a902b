/**
 * Where a container's address comes from: the seam between the networks of the Docker API and the machine.
 *
 * There are two kinds of networks with addresses, and one runtime serves both at once. On a *bridge* network each
 * container has a network namespace of its own, plugged into a Linux bridge. On a *loopback* network containers share
 * the machine's namespace, and their addresses come from 127.0.0.0/8: nothing has to be set up and nothing separates
 * them. A network stays what it was made as, because its subnet says it. `host` and `null` give no addresses.
 */
import { contains, parseAddress, parseSubnet, type Subnet } from './ipam.ts'

export type NetworkKind = 'bridge' | 'loopback' | 'host' | 'none'

export interface Attachment {
  ip: string
  /** Empty on a loopback network. */
  mac: string
  /** Of the interface in the container's namespace, such as eth0; empty on a loopback network. */
  interface: string
  endpointId: string
}

export interface Network {
  id: string
  name: string
  /** What the client asked for; `bridge` is served by the mode in force when the network was made. */
  driver: string
  createdAt: string
  subnet: string
  /** The client did not ask for this subnet: another may take its place as long as nobody is on the network. */
  isSubnetChosen?: boolean
  gateway: string
  /** Part of the subnet that addresses are taken from. */
  ipRange?: string
  /** Addresses that are somebody else's, by name. */
  reserved?: Record<string, string>
  internal: boolean
  attachable: boolean
  enableIPv6: boolean
  labels: Record<string, string>
  options: Record<string, string>
  ipamOptions: Record<string, string> | null
  ipamDriver: string
  /** At which port of its gateway the names of its members are answered; only on a bridge. See name-servers.ts. */
  dnsPort?: number
  /** Endpoints by container id. */
  endpoints: Record<string, Attachment & { name: string }>
  /** bridge, host and none: always there. */
  predefined: boolean
}

/** Which subnets networks may have; implemented once per kind. */
export interface AddressSpace {
  readonly name: 'loopback' | 'bridge'
  /** What users should know of it; a sentence a line. */
  describe(): string[]
  /** Subnets for networks that do not ask for one, best first. */
  pools(): Iterable<string>
  /** Subnets that the machine uses for something else. */
  taken(): Subnet[]
  /** Throws a 400 when a subnet cannot be served. */
  check(subnet: string): void
}

export const loopbackSpace = parseSubnet('127.0.0.0/8')

export function kindOf({ driver, subnet }: Pick<Network, 'driver' | 'subnet'>): NetworkKind {
  if (driver === 'host') return 'host'
  if (subnet === '') return 'none'
  return contains(loopbackSpace, parseAddress(subnet.split('/')[0] ?? '')) ? 'loopback' : 'bridge'
}
