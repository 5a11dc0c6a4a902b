/**
 * Ranges of IPv4 addresses, as in "10.244.1.0/24".
 */

/** IPv4 only: "127.64.1.0/24" contains "127.64.1.7". */
export function contains(cidr: string, address: string): boolean {
  const [network = '', bits = '32'] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  const [a, b] = [toNumber(network), toNumber(address)]
  return a !== undefined && b !== undefined && Math.floor(a / size) === Math.floor(b / size)
}

export function isIPv4(address: string): boolean {
  return toNumber(address) !== undefined
}

function toNumber(address: string): number | undefined {
  const parts = address.split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined
  return parts.reduce((number, part) => number * 256 + Number(part), 0)
}
