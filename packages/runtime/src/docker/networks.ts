/**
 * /networks
 */
import type { Endpoint } from '../containers/record.ts'
import { kindOf, type Network } from '../networks/network.ts'
import type { NetworkRequest } from '../networks/network-options.ts'
import { untilMs } from './containers.ts'
import { connectShape, networkShape } from './body-shape.ts'
import type { Deps } from './deps.ts'
import { badParameter, notFound } from '@dinghy/shared/docker/errors'
import { anyOf, labelsMatch, matchesText, parseFilters } from '../filters.ts'
import { isTrue, sendEmpty, sendJson, type DockerRequest, type Handler } from './request.ts'
import type { Router } from './router.ts'

const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']

export function networkRoutes(router: Router, deps: Deps): void {
  const { networks, bridges, nameServers, containers, clock } = deps
  const find = (request: DockerRequest): Network => networks.get(request.params['id'] ?? '')
  const isUsed = ({ name }: Network) => containers.list().some(({ record }) => name in record.networks)

  const list: Handler = ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), listFilters)
    const selected = networks
      .list()
      .filter(
        (network) =>
          anyOf(filters, 'driver', (driver) => network.driver === driver) &&
          anyOf(filters, 'id', (id) => network.id.startsWith(id)) &&
          anyOf(filters, 'name', (name) => matchesText(name, network.name)) &&
          anyOf(filters, 'scope', (scope) => scope === 'local') &&
          anyOf(filters, 'type', (type) => (type === 'builtin') === network.predefined) &&
          anyOf(filters, 'dangling', (dangling) => isTrue(dangling) !== (network.predefined || isUsed(network))) &&
          labelsMatch(filters, network.labels),
      )
    // The list leaves the containers out, as dockerd does since API 1.28.
    sendJson(
      reply,
      200,
      selected.map((network) => ({ ...networkJson(network), Containers: {} })),
    )
  }
  router.add('GET', '/networks', list)
  router.add('GET', '/networks/', list)

  router.add('GET', '/networks/:id', (request, reply) => {
    const network = find(request)
    // There are none of a swarm.
    if (!['', 'local'].includes(request.query.get('scope') ?? '')) throw notFound(`network ${network.name} not found`)
    sendJson(reply, 200, networkJson(network))
  })

  router.add('POST', '/networks/create', async (request, reply) => {
    const network = networks.create(await request.json<NetworkRequest>(networkShape))
    try {
      if (kindOf(network) === 'bridge') await bridges?.ensure(network)
    } catch (error) {
      networks.remove(network.id)
      throw error
    }
    sendJson(reply, 201, { Id: network.id, Warning: '' })
  })

  const remove = async (network: Network): Promise<void> => {
    networks.remove(network.id)
    await nameServers?.close(network)
    await bridges?.remove(network)
  }
  router.add('DELETE', '/networks/:id', async (request, reply) => {
    await remove(find(request))
    sendEmpty(reply, 204)
  })

  router.add('POST', '/networks/:id/connect', async (request, reply) => {
    const { Container, EndpointConfig } = await request.json<{
      Container?: string
      EndpointConfig?: Partial<Endpoint>
    }>(connectShape)
    if (!Container) throw badParameter('invalid container name or ID: value is empty')
    const container = containers.get(Container)
    const network = find(request)
    await container.exclusive(() => containers.networking.connect(container, network.id, EndpointConfig ?? {}))
    sendEmpty(reply, 200)
  })

  router.add('POST', '/networks/:id/disconnect', async (request, reply) => {
    const { Container, Force } = await request.json<{ Container?: string; Force?: boolean }>(connectShape)
    if (!Container) throw badParameter('invalid container name or ID: value is empty')
    const network = find(request)
    const container = containers
      .list()
      .find(({ id, name }) => id === Container || name === Container || id.startsWith(Container))
    if (container !== undefined) {
      await container.exclusive(() => containers.networking.disconnect(container, network.id))
    } else if (!Force) throw notFound(`No such container: ${Container}`)
    sendEmpty(reply, 200)
  })

  router.add('POST', '/networks/prune', async ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), ['label', 'label!', 'until'])
    const [until] = filters.get('until') ?? []
    const limit = until === undefined ? Infinity : untilMs(until, clock.now())
    const unused = networks
      .list()
      .filter((network) => !network.predefined && !isUsed(network) && labelsMatch(filters, network.labels))
      .filter(({ createdAt }) => Date.parse(createdAt) <= limit)
    for (const network of unused) await remove(network)
    deps.events.publish('network', 'prune', '', { reclaimed: '0' })
    sendJson(reply, 200, { NetworksDeleted: unused.length === 0 ? null : unused.map(({ name }) => name) })
  })
}

function networkJson(network: Network): object {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: network.enableIPv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: network.ipamOptions,
      Config: network.subnet === '' ? [] : [ipamConfig(network)],
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      Object.entries(network.endpoints).map(([id, { name, endpointId, ip, mac }]) => [
        id,
        {
          Name: name,
          EndpointID: endpointId,
          MacAddress: mac,
          IPv4Address: ip === '' ? '' : `${ip}/${network.subnet.split('/')[1] ?? ''}`,
          IPv6Address: '',
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  }
}

function ipamConfig({ subnet, gateway, ipRange, reserved }: Network): object {
  return {
    Subnet: subnet,
    ...(ipRange !== undefined ? { IPRange: ipRange } : {}),
    Gateway: gateway,
    ...(reserved !== undefined ? { AuxiliaryAddresses: reserved } : {}),
  }
}
