/** A container's endpoints on its networks: their order, and each as it is before the container runs. Pure. */
import { badParameter } from '@dinghy/shared/docker/errors'
import type { Network } from '../networks/network.ts'
import { checkMac } from './create-body.ts'
import { parseLink } from './links.ts'
import type { ContainerRecord, Endpoint } from './record.ts'

export function newEndpoint(
  record: Pick<ContainerRecord, 'id' | 'name' | 'config'>,
  network: Pick<Network, 'id' | 'name' | 'predefined'>,
  config: Partial<Endpoint>,
): Endpoint {
  const aliases = config.Aliases ?? []
  const requested = config.IPAMConfig?.IPv4Address
  if (requested && network.name === 'bridge' && network.predefined) {
    throw badParameter('user specified IP address is supported on user defined networks only')
  }
  checkSupported(config)
  const mac = config.MacAddress ?? ''
  checkMac(mac)
  for (const link of config.Links ?? []) parseLink(link)
  return {
    IPAMConfig: config.IPAMConfig ?? null,
    Links: config.Links ?? null,
    Aliases: aliases.length > 0 ? aliases : null,
    DriverOpts: config.DriverOpts ?? null,
    NetworkID: network.id,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    MacAddress: '',
    ...(mac !== '' ? { DesiredMacAddress: mac.toLowerCase() } : {}),
    GwPriority: config.GwPriority ?? 0,
    DNSNames: dnsNames(record, aliases),
  }
}

/** Names of a container's networks, that of NetworkMode first: it gets eth0. */
export function inOrder({ networks, hostConfig }: Pick<ContainerRecord, 'networks' | 'hostConfig'>): string[] {
  const isPrimary = (name: string) => Number(name === hostConfig.NetworkMode)
  return Object.keys(networks).toSorted((a, b) => isPrimary(b) - isPrimary(a))
}

/** Docker ignores options that no driver knows; those that its bridges know are refused where they are not known. */
function checkSupported({ IPAMConfig, DriverOpts }: Partial<Endpoint>): void {
  const { IPv6Address = '', LinkLocalIPs } = IPAMConfig ?? {}
  if (IPv6Address !== '')
    throw badParameter(
      `invalid endpoint settings: no configured subnet or ip-range contain the IP address ${IPv6Address}: there is no IPv6 here`,
    )
  if ((LinkLocalIPs ?? []).length > 0)
    throw badParameter('invalid endpoint settings: link-local addresses are not supported')
  const option = Object.keys(DriverOpts ?? {}).find((name) => name.startsWith('com.docker.network.'))
  if (option !== undefined) throw badParameter(`invalid endpoint settings: the option ${option} is not supported`)
}

function dnsNames(record: Pick<ContainerRecord, 'id' | 'name' | 'config'>, aliases: string[]): string[] {
  const shortId = record.id.slice(0, 12)
  return [...new Set([record.name, ...aliases, shortId, record.config.Hostname])]
}
