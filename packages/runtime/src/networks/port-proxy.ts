/**
 * Published ports: a proxy in the runtime listens where the user asked and carries bytes to the container's address.
 *
 * "All addresses" is taken literally: one listener for each address of the machine instead of one wildcard, because on
 * a shared loopback a wildcard would take the port away from every container's own address. The gateways of bridges are
 * added as bridges are made (`addGateway`): the machine does not list the address of a bridge that has no carrier yet.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Clock } from '@dinghy/shared/api/clock'
import { serverError } from '@dinghy/shared/docker/errors'
import type { PublishRequest } from './ports.ts'

export interface Published {
  containerPort: number
  protocol: 'tcp' | 'udp'
  hostIp: string
  hostPort: number
}

type Listener = { close(): Promise<void> }

/** Looked at for every new connection: a container may change its network while its ports are open. */
type Target = { ip: string }

interface Entry {
  ports: { published: Published; addresses: Set<string> }[]
  listeners: Listener[]
  target: Target
}

const udpIdleMs = 90_000

export class PortProxies {
  readonly #clock: Clock
  readonly #byContainer = new Map<string, Entry>()
  readonly #gateways = new Set<string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Opens all ports of a container, or none: throws Docker's "port is already allocated" after closing what was open.
   */
  async publish(containerId: string, targetIp: string, requests: PublishRequest[]): Promise<Published[]> {
    const entry: Entry = { ports: [], listeners: [], target: { ip: targetIp } }
    this.#byContainer.set(containerId, entry)
    try {
      for (const request of requests) {
        const { hostPort, addresses, opened } = await openFirst(this.#clock, request, entry.target, (port) =>
          this.#isTaken(request, port),
        )
        entry.listeners.push(...opened)
        const { containerPort, protocol, hostIp } = request
        entry.ports.push({ published: { containerPort, protocol, hostIp, hostPort }, addresses: new Set(addresses) })
      }
    } catch (error) {
      await this.unpublish(containerId)
      throw error
    }
    for (const gateway of this.#gateways) await this.#openAt(gateway, containerId, entry)
    return entry.ports.map(({ published }) => published)
  }

  /** Opens there, too, what is published on all addresses now or later. Call it when the address is there. */
  async addGateway(address: string): Promise<void> {
    this.#gateways.add(address)
    for (const [containerId, entry] of this.#byContainer) await this.#openAt(address, containerId, entry)
  }

  async #openAt(address: string, containerId: string, { ports, listeners, target }: Entry): Promise<void> {
    for (const { published, addresses } of ports) {
      if (!isWildcard(published.hostIp) || addresses.has(address)) continue
      addresses.add(address)
      const opened = await openAll(this.#clock, { ...published, hostIp: address }, published.hostPort, target)
      // The bridge is gone again, or somebody else was first to take the port there.
      if (opened instanceof Error) addresses.delete(address)
      else if (this.#byContainer.get(containerId)?.listeners === listeners) listeners.push(...opened.opened)
      else await Promise.all(opened.opened.map((listener) => listener.close()))
    }
  }

  /** New connections go to another address from now on. */
  retarget(containerId: string, ip: string): void {
    const entry = this.#byContainer.get(containerId)
    if (entry !== undefined) entry.target.ip = ip
  }

  published(containerId: string): Published[] {
    return (this.#byContainer.get(containerId)?.ports ?? []).map(({ published }) => published)
  }

  async unpublish(containerId: string): Promise<void> {
    const entry = this.#byContainer.get(containerId)
    this.#byContainer.delete(containerId)
    await Promise.all((entry?.listeners ?? []).map((listener) => listener.close()))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byContainer.keys()].map((id) => this.unpublish(id)))
  }

  #isTaken({ protocol, hostIp }: PublishRequest, port: number): boolean {
    const all = [...this.#byContainer.values()].flatMap(({ ports }) => ports)
    return all.some(
      ({ published: other }) =>
        other.protocol === protocol &&
        other.hostPort === port &&
        (isWildcard(other.hostIp) || isWildcard(hostIp) || other.hostIp === hostIp),
    )
  }
}

function isWildcard(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::'
}

interface Opened {
  hostPort: number
  addresses: string[]
  opened: Listener[]
}

async function openFirst(
  clock: Clock,
  request: PublishRequest,
  target: Target,
  isTaken: (port: number) => boolean,
): Promise<Opened> {
  const shown = request.hostIp === '' ? '0.0.0.0' : request.hostIp
  let failure: Error | undefined
  for (const candidate of request.hostPorts) {
    if (candidate !== 0 && isTaken(candidate)) {
      failure = serverError(`Bind for ${shown}:${candidate} failed: port is already allocated`)
      continue
    }
    // An unspecified port is chosen by the kernel for the first address; the others may have it in use, so try again.
    for (let attempt = 0; attempt < (candidate === 0 ? 16 : 1); attempt++) {
      const result = await openAll(clock, request, candidate, target)
      if (!(result instanceof Error)) return result
      failure = serverError(
        `failed to bind host port for ${shown}:${candidate}:${target.ip}:${request.containerPort}/${request.protocol}: ${result.message}`,
      )
    }
  }
  throw failure ?? serverError(`no port to publish ${request.containerPort}/${request.protocol} on`)
}

/** On every address asked for; those opened are closed again when one cannot be. */
async function openAll(
  clock: Clock,
  { hostIp, protocol, containerPort }: Omit<PublishRequest, 'hostPorts'>,
  port: number,
  target: Target,
): Promise<Opened | Error> {
  const opened: Listener[] = []
  const addresses = isWildcard(hostIp) ? machineAddresses() : [hostIp]
  let hostPort = port
  try {
    for (const address of addresses) {
      const open = protocol === 'tcp' ? openTcp : openUdp
      const { listener, port: actual } = await open(clock, address, hostPort, target, containerPort)
      hostPort = actual
      opened.push(listener)
    }
    return { hostPort, addresses, opened }
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close()))
    const { code, message } = error as NodeJS.ErrnoException
    return new Error(
      code === 'EADDRINUSE' ? 'address already in use' : code === 'EACCES' ? 'permission denied' : message,
    )
  }
}

function machineAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  // Link-local IPv6 addresses exist once per interface and cannot be bound without naming it.
  return all.map(({ address }) => address).filter((address) => !address.startsWith('fe80'))
}

async function openTcp(
  _clock: Clock,
  address: string,
  port: number,
  target: Target,
  targetPort: number,
): Promise<{ listener: Listener; port: number }> {
  const connections = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ host: target.ip, port: targetPort, allowHalfOpen: true })
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      connections.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        connections.delete(socket)
        other.destroySoon()
      })
    }
    client.pipe(server).pipe(client)
  })
  server.listen({ host: address, port, exclusive: true, ipv6Only: true })
  await once(server, 'listening')
  const listener = {
    close: async () => {
      for (const socket of connections) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return { listener, port: (server.address() as { port: number }).port }
}

async function openUdp(
  clock: Clock,
  address: string,
  port: number,
  target: Target,
  targetPort: number,
): Promise<{ listener: Listener; port: number }> {
  const server = createSocket(address.includes(':') ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
  /** One socket towards the container per client, so that answers find their way back. */
  const clients = new Map<string, { socket: UdpSocket; lastUsed: number }>()
  const sweep = () => {
    for (const [key, { socket, lastUsed }] of clients) {
      if (clock.now() - lastUsed < udpIdleMs) continue
      socket.close()
      clients.delete(key)
    }
    timer = clock.setTimeout(sweep, udpIdleMs)
  }
  server.on('message', (message, from) => {
    const key = `${from.address}:${from.port}`
    let client = clients.get(key)
    if (client === undefined) {
      const socket = createSocket('udp4')
      socket.on('message', (answer) => server.send(answer, from.port, from.address))
      socket.on('error', () => undefined) // nobody listens in the container: as on a real network, silence
      client = { socket, lastUsed: 0 }
      clients.set(key, client)
    }
    client.lastUsed = clock.now()
    client.socket.send(message, targetPort, target.ip)
  })
  server.bind({ address, port, exclusive: true })
  await once(server, 'listening')
  let timer = clock.setTimeout(sweep, udpIdleMs)
  const listener = {
    close: async () => {
      clock.clear(timer)
      for (const { socket } of clients.values()) socket.close()
      server.close()
      await once(server, 'close')
    },
  }
  return { listener, port: server.address().port }
}
