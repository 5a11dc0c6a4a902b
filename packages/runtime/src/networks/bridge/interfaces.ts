/**
 * Which interfaces a container on bridge networks has, what everything is called, and which of them leads out. Pure.
 *
 * The way out is as Docker chooses it: of the networks that are not internal, the one with the highest priority
 * (`--network name=…,gw-priority=…`), then the first by name. The names of all its networks are asked for by way of
 * its first interface on one that has a name server.
 */
import { serverError } from '@dinghy/shared/docker/errors'
import type { NetworkInterface } from '../network-interface.ts'
import type { Network } from '../network.ts'

const defaultMtu = 1500

export interface Plugged {
  network: Network
  priority: number
}

/** Of a container that is attached to all of these networks. */
export function interfacesOf(containerId: string, plugged: Plugged[]): NetworkInterface[] {
  const way = gatewayOf(plugged)
  const asked = plugged
    .filter(({ network }) => network.dnsPort !== undefined && containerId in network.endpoints)
    .map(({ network }) => network)
    .toSorted((a, b) => (interfaceOn(a, containerId) < interfaceOn(b, containerId) ? -1 : 1))[0]
  return plugged
    .flatMap(({ network }) => {
      const endpoint = network.endpoints[containerId]
      if (endpoint === undefined) return []
      return {
        name: endpoint.interface,
        port: portName(endpoint),
        bridge: bridgeName(network),
        mac: endpoint.mac,
        address: `${endpoint.ip}/${network.subnet.split('/')[1]}`,
        mtu: mtuOf(network),
        ...(!hasIcc(network) ? { isolated: true } : {}),
        ...(network === way ? { gateway: network.gateway } : {}),
        ...(network === asked && network.dnsPort !== undefined
          ? { nameServer: { address: network.gateway, port: network.dnsPort } }
          : {}),
      }
    })
    .toSorted((a, b) => a.name.localeCompare(b.name))
}

function interfaceOn(network: Network, containerId: string): string {
  return network.endpoints[containerId]?.interface ?? ''
}

export function gatewayOf(plugged: Plugged[]): Network | undefined {
  const [first] = plugged
    .filter(({ network }) => !network.internal)
    .toSorted((a, b) => b.priority - a.priority || (a.network.name < b.network.name ? -1 : 1))
  return first?.network
}

/** An option of the bridge driver. */
export function option(network: Pick<Network, 'options'>, name: string): string | undefined {
  return network.options[`com.docker.network.${name}`] || undefined
}

/** Whether the containers of a network may talk to each other. */
export function hasIcc(network: Pick<Network, 'options'>): boolean {
  return option(network, 'bridge.enable_icc') !== 'false'
}

/** As Docker names them. */
export function bridgeName(network: Pick<Network, 'id' | 'options'>): string {
  return option(network, 'bridge.name') ?? `br-${network.id.slice(0, 12)}`
}

/** An endpoint is made anew for every run, and so is the name of its cable: the old one may still be on its way out. */
export function portName({ endpointId }: { endpointId: string }): string {
  return `veth${endpointId.slice(0, 8)}`
}

export function mtuOf(network: Pick<Network, 'options'>): number {
  const mtu = Number(option(network, 'driver.mtu') ?? defaultMtu)
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535)
    throw serverError(`invalid MTU ${option(network, 'driver.mtu')}`)
  return mtu
}
