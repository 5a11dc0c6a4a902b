/**
 * An IPv4 network as a range of numbers, for handing out its addresses.
 */

import { isIPv4 } from 'node:net'

export interface Ipv4Range {
  text: string
  /** The network's own address and the broadcast address are not handed out. */
  first: number
  last: number
}

/** "10.96.0.0/16". Throws if it is no IPv4 network, or too small to hand out anything. */
export function parseIpv4Range(text: string): Ipv4Range {
  const [address = '', bits = ''] = text.split('/')
  const length = /^\d{1,2}$/.test(bits) ? Number(bits) : NaN
  if (!isIPv4(address) || !(length >= 8 && length <= 30)) throw new Error(`not an IPv4 network of /8 to /30: ${text}`)
  const size = 2 ** (32 - length)
  const network = Math.floor(ipToNumber(address) / size) * size
  return { text: `${numberToIp(network)}/${length}`, first: network + 1, last: network + size - 2 }
}

export function contains({ first, last }: Ipv4Range, address: string): boolean {
  if (!isIPv4(address)) return false
  const number = ipToNumber(address)
  return number >= first && number <= last
}

function ipToNumber(address: string): number {
  return address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0)
}

export function numberToIp(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
}
