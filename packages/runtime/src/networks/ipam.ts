/**
 * Addresses of IPv4 subnets: which are free, who has them. Pure; what is taken is kept by networks.ts.
 */
import { badParameter, conflict } from '@dinghy/shared/docker/errors'

export interface Subnet {
  /** The network address as a number. */
  first: number
  prefix: number
}

export function parseAddress(text: string): number {
  const parts = text.split('.').map(Number)
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text) || parts.some((part) => part > 255)) {
    throw badParameter(`invalid IP address: ${text}`)
  }
  return parts.reduce((value, part) => value * 256 + part, 0)
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.')
}

export function parseSubnet(text: string): Subnet {
  const [address = '', prefixText = ''] = text.split('/')
  const prefix = Number(prefixText)
  if (!/^\d{1,2}$/.test(prefixText) || prefix > 30 || prefix < 8) throw badParameter(`invalid subnet ${text}`)
  const size = 2 ** (32 - prefix)
  const first = Math.floor(parseAddress(address) / size) * size
  return { first, prefix }
}

export function formatSubnet({ first, prefix }: Subnet): string {
  return `${formatAddress(first)}/${prefix}`
}
export function sizeOf({ prefix }: Subnet): number {
  return 2 ** (32 - prefix)
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.first && address < subnet.first + sizeOf(subnet)
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return contains(a, b.first) || contains(b, a.first)
}

/**
 * The lowest free host address of a subnet, or of a range in it; the subnet's first (network) and last (broadcast) are
 * never given out. A requested address may lie outside of the range.
 */
export function allocate(subnet: Subnet, taken: ReadonlySet<number>, requested?: string, range = subnet): number {
  if (requested !== undefined && requested !== '') {
    const address = parseAddress(requested)
    if (!contains(subnet, address)) {
      throw badParameter(
        `invalid endpoint settings: no configured subnet or ip-range contain the IP address ${requested}`,
      )
    }
    if (taken.has(address)) throw conflict('Address already in use')
    return address
  }
  const end = Math.min(subnet.first + sizeOf(subnet) - 1, range.first + sizeOf(range))
  for (let address = Math.max(subnet.first + 1, range.first); address < end; address++) {
    if (!taken.has(address)) return address
  }
  throw conflict(`no available IPv4 addresses on this network's address pools: ${formatSubnet(range)}`)
}

/** The first subnet of the pools that overlaps none of `used`. */
export function chooseSubnet(pools: Iterable<Subnet>, used: Subnet[]): Subnet {
  for (const pool of pools) if (!used.some((other) => overlap(pool, other))) return pool
  throw badParameter('all predefined address pools have been fully subnetted')
}
