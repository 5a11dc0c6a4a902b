/**
 * Where a container's address comes from: the seam between the networks of the Docker API and the machine.
 *
 * `loopback` gives out addresses of 127.0.0.0/8: any program of the machine can reach them, nothing has to be set up,
 * and no two containers share one. `host` and `null` give none. (A `bridge` of network namespaces fits behind the
 * same interface: its attach() would make the namespace and return it.)
 */

export interface Attachment {
  ip: string
  /** A network namespace for the container's processes to join; absent when they stay in the machine's. */
  netns?: { pid: number }
}

export interface Network {
  id: string
  name: string
  /** What the client asked for; `bridge` is served by the address space in force. */
  driver: string
  createdAt: string
  subnet: string
  gateway: string
  internal: boolean
  attachable: boolean
  enableIPv6: boolean
  labels: Record<string, string>
  options: Record<string, string>
  ipamOptions: Record<string, string>
  ipamDriver: string
  /** Endpoints by container id. */
  endpoints: Record<string, { endpointId: string; name: string; ip: string }>
  /** bridge, host and none: always there. */
  predefined: boolean
}

/** Implemented once per mode (`--network`). */
export interface AddressSpace {
  readonly name: 'loopback'
  describe(): string[]
  /** Subnets for networks that do not ask for one, best first. */
  pools(): Iterable<string>
  /** The subnet of the network called `bridge`. */
  readonly defaultSubnet: string
  /** Throws a 400 when a subnet cannot be served. */
  check(subnet: string): void
}
