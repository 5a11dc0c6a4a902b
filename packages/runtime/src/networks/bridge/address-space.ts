/**
 * The address space of bridge networks: Docker's default pools, without what this machine has routes to.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { contains, overlap, parseSubnet } from '../ipam.ts'
import { readRoutes } from './machine-links.ts'
import { loopbackSpace, type AddressSpace } from '../network.ts'

/** Multicast and above: no host has such an address. */
const firstMulticast = 224 * 2 ** 24

export function bridgeSpace(options: { canMasquerade: boolean }): AddressSpace {
  return {
    name: 'bridge',

    describe: () =>
      options.canMasquerade
        ? ['IPv4 forwarding of this machine is switched on when the first bridge is made (net.ipv4.ip_forward)']
        : [
            'nft is not installed or does not work: containers on bridge networks cannot reach anything outside this machine, and where the machine forwards packets nothing separates networks',
          ],

    *pools() {
      for (let second = 17; second < 32; second++) yield `172.${second}.0.0/16`
      for (let third = 0; third < 256; third += 16) yield `192.168.${third}.0/20`
    },

    taken: () => readRoutes(),

    check(subnet) {
      const parsed = parseSubnet(subnet)
      if (overlap(parsed, loopbackSpace)) {
        throw badParameter(`subnet ${subnet} cannot be served by a bridge: --driver loopback serves 127.0.0.0/8`)
      }
      if (parsed.first >= firstMulticast || contains(parsed, 0)) throw badParameter(`invalid subnet ${subnet}`)
    },
  }
}
