/**
 * What a name means to a container on user-defined networks, as Docker's embedded name server has it. Pure.
 *
 *   web                a container by its name, an alias, the beginning of its id or its hostname; all that have it
 *   web.backend        the same, on the network "backend" alone; both names may contain dots
 *   2.0.18.172.in-addr.arpa   whose address this is: web.backend
 *
 * A name is known to those who share a network with it. Links come first, and they are the linking container's alone.
 */

import type { Answer, RecordType } from 'dns-packet'

export interface Member {
  name: string
  ip: string
  /** By which everybody on the network knows it. */
  names: readonly string[]
  /** By which the one who asks knows it, too. */
  links: readonly string[]
}

/** A network of the container that asks, and who is on it now. */
export interface KnownNetwork {
  name: string
  members: readonly Member[]
}

/** Nobody here is called that; or the records of a name that is there, of which there may be none of this type. */
export type Outcome = 'elsewhere' | { answers: Answer[] }

/** Seconds for which a client may remember, as Docker's says. */
const ttl = 600

/** `networks` in the order in which they are asked; `name` in any case, without a dot at its end. */
export function lookUp(name: string, type: RecordType, networks: readonly KnownNetwork[]): Outcome {
  const asked = name.toLowerCase()
  if (asked.endsWith('.in-addr.arpa')) return reverse(name, asked, type, networks)
  for (const [wanted, network] of readings(asked)) {
    const known = networks.filter((each) => network === undefined || each.name.toLowerCase() === network)
    const found =
      firstFound(known, (member) => has(member.links, wanted)) ??
      firstFound(known, (member) => has(member.names, wanted))
    if (found === undefined) continue
    return { answers: type === 'A' ? found.map((data): Answer => ({ name, type, ttl, data })) : [] }
  }
  return 'elsewhere'
}

/** The whole is a name; or its beginning is one, on the network that the rest names. */
function readings(name: string): [name: string, network?: string][] {
  const labels = name.split('.')
  const split = labels.slice(1).map((_, i): [string, string] => {
    const at = labels.length - 1 - i
    return [labels.slice(0, at).join('.'), labels.slice(at).join('.')]
  })
  return [[name], ...split]
}

function firstFound(networks: readonly KnownNetwork[], isWanted: (member: Member) => boolean): string[] | undefined {
  for (const { members } of networks) {
    const addresses = members.filter(isWanted).map(({ ip }) => ip)
    if (addresses.length > 0) return addresses
  }
  return undefined
}

function has(names: readonly string[], wanted: string): boolean {
  return names.some((name) => name.toLowerCase() === wanted)
}

function reverse(name: string, asked: string, type: RecordType, networks: readonly KnownNetwork[]): Outcome {
  const address = asked.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.')
  for (const network of networks) {
    const member = network.members.find(({ ip }) => ip === address)
    if (member === undefined) continue
    return { answers: type === 'PTR' ? [{ name, type, ttl, data: `${member.name}.${network.name}` }] : [] }
  }
  return 'elsewhere'
}
