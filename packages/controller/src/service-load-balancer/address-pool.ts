/**
 * Which address of the pool a Service of type LoadBalancer gets. Pure.
 *
 * It keeps the one it has as long as that is its to have; `spec.loadBalancerIP` is a wish that is granted or refused,
 * never quietly replaced. An address belongs to one Service: of two that claim the same one the older has it. Upstream
 * leaves all of this to the cloud.
 */

export interface AddressPool {
  first: string
  last: string
}

/** "172.30.0.201-172.30.0.250"; undefined if it is no such thing. */
export function parsePool(text: string): AddressPool | undefined {
  const [first = '', last = '', ...rest] = text.split('-')
  const [from, to] = [numberOf(first), numberOf(last)]
  return rest.length > 0 || from === undefined || to === undefined || from > to ? undefined : { first, last }
}

export interface Wish {
  /** spec.loadBalancerIP */
  wanted?: string | undefined
  /** What its status says. */
  present?: string | undefined
}

export type Choice = { address: string } | { refused: string }

/** `taken`: what other Services have. */
export function chooseAddress(pool: AddressPool, { wanted, present }: Wish, taken: ReadonlySet<string>): Choice {
  const [first, last] = [numberOf(pool.first) ?? 0, numberOf(pool.last) ?? 0]
  const isInPool = (address: string): boolean => {
    const number = numberOf(address)
    return number !== undefined && number >= first && number <= last
  }
  const range = `${pool.first}-${pool.last}`
  if (wanted) {
    if (!isInPool(wanted)) return { refused: `spec.loadBalancerIP ${wanted} is not in the pool ${range}` }
    if (taken.has(wanted)) return { refused: `spec.loadBalancerIP ${wanted} is already in use by another Service` }
    return { address: wanted }
  }
  if (present && isInPool(present) && !taken.has(present)) return { address: present }
  for (let number = first; number <= last; number += 1) {
    const address = textOf(number)
    if (!taken.has(address)) return { address }
  }
  return { refused: `no address is left in the pool ${range}` }
}

function numberOf(address: string): number | undefined {
  const parts = address.trim().split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined
  return parts.reduce((number, part) => number * 256 + Number(part), 0)
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.')
}
