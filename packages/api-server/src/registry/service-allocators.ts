/**
 * What Services take from a common stock: cluster IPs out of the service network, node ports out of a range of ports.
 *
 * What is taken is read off the stored Services each time (a map that is built once a write), so nothing leaks, nothing
 * has to be repaired, and a deleted Service's address is free at once. Upstream keeps bitmaps in etcd and repairs them.
 * Automatic choices stay out of the lower band of the range as upstream's do, so that a hand-picked address is likely
 * free.
 */

import { internalError, invalid } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import type { FieldError } from '@dinghy/shared/api/field-errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { Services } from '@dinghy/shared/api/resources'
import type { KubernetesObject, Service, ServicePort } from '@dinghy/shared/api/types'
import type { Ipv4Range } from './ipv4-range.ts'
import { contains, numberToIp } from './ipv4-range.ts'
import type { Reader } from './reader.ts'
import type { Allocator } from './reservations.ts'
import { adaptToType, needsClusterIp, needsHealthCheck, needsNodePorts, nodePortsOf } from './service-type.ts'

export interface PortRange {
  first: number
  last: number
}

/** "30000-32767". */
export function parsePortRange(text: string): PortRange {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text)?.map(Number) ?? []
  if (!first || !last || first > last || last > 65535) throw new Error(`not a range of ports: ${text}`)
  return { first, last }
}

export class ServiceAllocator implements Allocator {
  readonly group = ''
  readonly plural = 'services'
  readonly #reader: Reader
  readonly #addresses: Ipv4Range
  readonly #ports: PortRange
  readonly #random: () => number
  /** What writes that are not over yet are about to take. */
  readonly #reserved = new Set<{ owner: string; keys: string[] }>()

  constructor(reader: Reader, addresses: Ipv4Range, ports: PortRange, random: () => number = Math.random) {
    this.#reader = reader
    this.#addresses = addresses
    this.#ports = ports
    this.#random = random
  }

  reserve(object: KubernetesObject, previous: KubernetesObject | undefined): () => void {
    const service = object as Service
    const before = previous as Service | undefined
    if (before) adaptToType(service, before)
    const taken = this.#takenByOthers(service)
    const keys = [...this.#reserveAddress(service, taken), ...this.#reservePorts(service, before, taken)]
    const reservation = { owner: keyOf(service), keys }
    this.#reserved.add(reservation)
    return () => this.#reserved.delete(reservation)
  }

  /** Everything that other Services hold or are about to hold, as "ip 10.96.0.1" and "port TCP 30080". */
  #takenByOthers(service: Service): Set<string> {
    const me = keyOf(service)
    const flying = [...this.#reserved].filter(({ owner }) => owner !== me)
    const taken = new Set(flying.flatMap(({ keys }) => keys))
    for (const other of this.#reader.list(Services)) {
      if (keyOf(other) === me) continue
      for (const address of other.spec.clusterIPs ?? []) taken.add(`ip ${address}`)
      for (const { protocol, port } of nodePortsOf(other)) taken.add(portKey(protocol, port))
    }
    return taken
  }

  #reserveAddress(service: Service, taken: Set<string>): string[] {
    const { spec } = service
    if (!needsClusterIp(service)) {
      if (spec.type !== 'ExternalName' && spec.clusterIP === 'None') spec.clusterIPs = ['None']
      return []
    }
    const wanted = spec.clusterIP || spec.clusterIPs?.[0]
    if (wanted) this.#requireFree(service, wanted, taken)
    const address = wanted || this.#freeAddress(service, taken)
    spec.clusterIP = address
    spec.clusterIPs = [address]
    spec.ipFamilies ??= ['IPv4']
    spec.ipFamilyPolicy ??= 'SingleStack'
    return [`ip ${address}`]
  }

  #requireFree(service: Service, address: string, taken: Set<string>): void {
    const refuse = (detail: string) => refused(service, [fieldErrors.invalid('spec.clusterIPs', [address], detail)])
    if (!contains(this.#addresses, address)) {
      const why = `provided IP is not in the valid range. The range of valid IPs is ${this.#addresses.text}`
      throw refuse(`failed to allocate IP ${address}: ${why}`)
    }
    if (taken.has(`ip ${address}`)) {
      throw refuse(`failed to allocate IP ${address}: provided IP is already allocated`)
    }
  }

  #freeAddress(service: Service, taken: Set<string>): string {
    const { first, last } = this.#addresses
    const isFree = (number: number) => !taken.has(`ip ${numberToIp(number)}`)
    const found = pickFree(first, last, isFree, this.#random)
    if (found === undefined) {
      const problem = fieldErrors.internal(
        'spec.clusterIPs',
        new Error('failed to allocate a serviceIP: range is full'),
      )
      throw refused(service, [problem])
    }
    return numberToIp(found)
  }

  #reservePorts(service: Service, before: Service | undefined, taken: Set<string>): string[] {
    const mine = this.#reserveNodePorts(service, before, taken)
    this.#reserveHealthCheck(service, before, mine, taken)
    return [...mine.keys()]
  }

  #reserveNodePorts(service: Service, before: Service | undefined, taken: Set<string>): Map<string, number> {
    const mine = new Map<string, number>()
    if (!needsNodePorts(service)) return mine
    const held = new Set(before ? nodePortsOf(before).map(({ protocol, port }) => portKey(protocol, port)) : [])
    const ports = service.spec.ports ?? []
    // Wishes first, so that no automatic choice takes a port that another entry of the same Service asks for.
    ports.forEach((port, i) => {
      if (port.nodePort) this.#requireFreePort(service, port, i, held, taken)
      if (port.nodePort) mine.set(portKey(port.protocol, port.nodePort), port.nodePort)
    })
    for (const port of ports) {
      // The same port number serves TCP and UDP of one Service port, as DNS servers want it.
      const twin = ports.find((other) => other.port === port.port && other.nodePort && other.protocol !== port.protocol)
      const shared =
        twin?.nodePort !== undefined && !taken.has(portKey(port.protocol, twin.nodePort)) ? twin.nodePort : undefined
      port.nodePort ||= shared ?? this.#freePort(service, port, mine, taken)
      mine.set(portKey(port.protocol, port.nodePort), port.nodePort)
    }
    return mine
  }

  /** Where a load balancer asks a node whether it has endpoints: a node port as well. */
  #reserveHealthCheck(
    service: Service,
    before: Service | undefined,
    mine: Map<string, number>,
    taken: Set<string>,
  ): void {
    const { spec } = service
    if (!needsHealthCheck(spec)) return
    const wanted = spec.healthCheckNodePort
    const port = wanted || this.#freePort(service, { protocol: 'TCP', port: 0 }, mine, taken)
    const key = portKey('TCP', port)
    const why =
      wanted && wanted !== before?.spec.healthCheckNodePort ? this.#whyNotFree(wanted, mine, taken) : undefined
    // As upstream: no field is at fault, the server is.
    if (why) throw internalError(new Error(`failed to allocate requested HealthCheck NodePort ${wanted}: ${why}`))
    spec.healthCheckNodePort = port
    mine.set(key, port)
  }

  #whyNotFree(port: number, mine: Map<string, number>, taken: Set<string>): string | undefined {
    const { first, last } = this.#ports
    const key = portKey('TCP', port)
    if (port < first || port > last) return notInRange(first, last)
    return taken.has(key) || mine.has(key) ? alreadyAllocated : undefined
  }

  #requireFreePort(service: Service, port: ServicePort, index: number, held: Set<string>, taken: Set<string>): void {
    const { protocol, nodePort = 0 } = port
    const key = portKey(protocol, nodePort)
    const refuse = (detail: string) =>
      refused(service, [fieldErrors.invalid(`spec.ports[${index}].nodePort`, nodePort, detail)])
    if (taken.has(key)) throw refuse(alreadyAllocated)
    const { first, last } = this.#ports
    // A port that was allowed when the Service got it stays, even if the range has been moved since.
    if (!held.has(key) && (nodePort < first || nodePort > last)) {
      throw refuse(notInRange(first, last))
    }
  }

  #freePort(service: Service, { protocol }: ServicePort, mine: Map<string, number>, taken: Set<string>): number {
    const isFree = (port: number) => !taken.has(portKey(protocol, port)) && !mine.has(portKey(protocol, port))
    const found = pickFree(this.#ports.first, this.#ports.last, isFree, this.#random)
    if (found === undefined) {
      throw refused(service, [
        fieldErrors.internal('spec.ports', new Error('failed to allocate a nodePort: range is full')),
      ])
    }
    return found
  }
}

/**
 * A random free number, from the upper band of the range as long as that has one. Pure but for `random`.
 * The lower band is at least 16 and at most 256 numbers, a sixteenth of the range (KEP-3070).
 */
export function pickFree(
  first: number,
  last: number,
  isFree: (number: number) => boolean,
  random: () => number,
): number | undefined {
  const size = last - first + 1
  const band = Math.min(Math.max(16, Math.floor(size / 16)), 256)
  const upper = size > band ? first + band : first
  return scan(upper, last, isFree, random) ?? scan(first, upper - 1, isFree, random)
}

/** The first free number from a random start, going round. */
function scan(
  first: number,
  last: number,
  isFree: (number: number) => boolean,
  random: () => number,
): number | undefined {
  const size = last - first + 1
  const start = Math.floor(random() * size)
  for (let i = 0; i < size; i++) {
    const candidate = first + ((start + i) % size)
    if (isFree(candidate)) return candidate
  }
  return undefined
}

const alreadyAllocated = 'provided port is already allocated'

function notInRange(first: number, last: number): string {
  return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
}

function portKey(protocol: string | undefined, port: number): string {
  return `port ${protocol ?? 'TCP'} ${port}`
}

function refused({ metadata }: Service, problems: FieldError[]) {
  return invalid('', 'Service', metadata.name, problems)
}
