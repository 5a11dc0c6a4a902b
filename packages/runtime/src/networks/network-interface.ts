/** The cable between a container and a bridge, as the networks plan it and the drivers lay it. */

/** An interface in the network namespace of a container, and the bridge that it is plugged into. */
export interface NetworkInterface {
  /** In the container: eth0, eth1, … */
  name: string
  /** The other end of the cable, a port of the bridge. */
  port: string
  bridge: string
  mac: string
  /** With its prefix: 172.17.0.2/16. */
  address: string
  mtu: number
  /** Cut off from the other ports of the bridge. */
  isolated?: boolean
  /** The way to everything else; of one interface at most. */
  gateway?: string
  /** Where the name server at 127.0.0.11 really is; of one interface at most. */
  nameServer?: { address: string; port: number }
}
