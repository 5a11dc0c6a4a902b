/**
 * Who asks a name server of ours, and what that container may be told: the names on its own networks, and whether
 * anything of what it asks leaves the machine. Pure.
 */
import type { KnownNetwork } from '../networks/container-names.ts'
import type { Asker } from '../networks/name-servers.ts'
import { kindOf, type Network } from '../networks/network.ts'
import { inOrder } from './endpoint.ts'
import { aliasesOf } from './links.ts'
import type { ContainerRecord } from './record.ts'

/** The container that has `address` on `network`; `records` are all containers, `networks` all networks. */
export function askerAt(
  network: Network,
  address: string,
  records: readonly ContainerRecord[],
  networks: readonly Network[],
): Asker | undefined {
  const [id] = Object.entries(network.endpoints).find(([, { ip }]) => ip === address) ?? []
  const record = records.find((each) => each.id === id)
  if (record === undefined) return undefined
  const { Dns, DnsOptions } = record.hostConfig
  const own = inOrder(record)
    .flatMap((name) => networks.find((each) => each.name === name) ?? [])
    .filter((each) => kindOf(each) === 'bridge')
  return {
    id: record.id,
    networks: own.filter(({ dnsPort }) => dnsPort !== undefined).map((each) => knownTo(record, each, records)),
    // Inside of a container that address is its own.
    servers: (Dns ?? []).filter((server) => !server.startsWith('127.') && server !== '::1'),
    canLeave: own.some(({ internal }) => !internal),
    keepsDotless: (DnsOptions ?? []).some((option) => /^ndots:[1-9]/.test(option)),
  }
}

function knownTo(
  asker: ContainerRecord,
  { name, endpoints }: Network,
  records: readonly ContainerRecord[],
): KnownNetwork {
  const links = [...(asker.hostConfig.Links ?? []), ...(asker.networks[name]?.Links ?? [])]
  const members = records.flatMap((record) => {
    const { ip } = endpoints[record.id] ?? {}
    if (ip === undefined) return []
    const names = record.networks[name]?.DNSNames ?? []
    return { name: record.name, ip, names, links: aliasesOf(record, links) }
  })
  return { name, members }
}
