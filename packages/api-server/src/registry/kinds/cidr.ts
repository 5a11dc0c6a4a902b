/** Ranges of IP addresses as text: "10.9.8.0/24", "2001:db8::/64". */

import { BlockList, isIP, isIPv4 } from 'node:net'

export const notCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

export interface Cidr {
  address: string
  /** How many bits of it are the network's. */
  length: number
}

export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits = '', ...rest] = text.split('/')
  if (isIP(address) === 0 || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits)) return undefined
  const length = Number(bits)
  return length <= (isIPv4(address) ? 32 : 128) ? { address, length } : undefined
}

export function isStrictSubset(inner: Cidr, outer: Cidr): boolean {
  const family = isIPv4(outer.address) ? 'ipv4' : 'ipv6'
  if (inner.length <= outer.length || isIPv4(inner.address) !== isIPv4(outer.address)) return false
  const range = new BlockList()
  range.addSubnet(outer.address, outer.length, family)
  return range.check(inner.address, family)
}
