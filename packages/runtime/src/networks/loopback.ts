/**
 * The address space of loopback networks: 127.0.0.0/8, which on Linux is this machine, all sixteen million of it.
 *
 * 127.0.0.0/12 is left to the machine, and from 127.64 upwards a cluster gives its own subnets to its nodes.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { contains, parseSubnet } from './ipam.ts'
import { loopbackSpace, type AddressSpace } from './network.ts'

export const loopback: AddressSpace = {
  name: 'loopback',

  describe() {
    const facts = [
      'containers share this machine’s network: each has an address of its own in 127.0.0.0/8, and Node programs are pinned to it; other programs that listen on all addresses take the port for everybody',
      'networks do not separate containers from each other',
    ]
    if (process.platform !== 'linux')
      facts.push('only 127.0.0.1 exists on this system: container addresses cannot be reached')
    return facts
  },

  *pools() {
    for (let second = 17; second < 64; second++) yield `127.${second}.0.0/16`
  },

  taken: () => [],

  check(subnet) {
    const { first, prefix } = parseSubnet(subnet)
    if (prefix < 9 || !contains(loopbackSpace, first)) {
      throw badParameter(`subnet ${subnet} cannot be served: loopback networks lie in 127.0.0.0/8`)
    }
  },
}
