/**
 * Backends: the endpoints of the Services that routes name, kept up to date, and the choice among them.
 *
 * Callers may rely on: a Service is looked at when the first request asks for it, and again after it has changed; an
 * endpoint that leaves gets no new request from that moment on; one that stays keeps its connections.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import type { ServicePortRef, WeightedBackend } from '../routing/model.ts'
import { endpointsOf } from '../routing/service-endpoints.ts'
import { Endpoint } from './endpoint.ts'

export interface BackendsDeps {
  service: (key: string) => Service | undefined
  slices: (serviceKey: string) => EndpointSlice[]
  clock: Clock
  connectTimeoutMs: number
}

interface Known {
  ref: ServicePortRef
  endpoints: Map<string, Endpoint>
  /** Whether there is such a Service with such a port. */
  isThere: boolean
  isStale: boolean
}

export class Backends {
  readonly #deps: BackendsDeps
  readonly #known = new Map<string, Known>()
  /** Where the search for the least loaded begins: the idle ones take turns. */
  #turn = 0

  constructor(deps: BackendsDeps) {
    this.#deps = deps
  }

  /** The Service, or its endpoints, have changed. */
  changed(service: string): void {
    for (const known of this.#known.values()) {
      if (known.ref.service === service) {
        known.isStale = true
        // Endpoints that left must not wait for a next request to be let go.
        this.#refresh(known)
      }
    }
  }

  /** All others are not asked for any more. */
  keep(refs: readonly ServicePortRef[]): void {
    const wanted = new Set(refs.map(keyOf))
    for (const [key, { endpoints }] of this.#known) {
      if (wanted.has(key)) continue
      this.#known.delete(key)
      for (const endpoint of endpoints.values()) endpoint.retire()
    }
  }

  /** Undefined: there is no such Service, or no such port. */
  endpoints(ref: ServicePortRef): ReadonlyMap<string, Endpoint> | undefined {
    const key = keyOf(ref)
    const known = this.#known.get(key) ?? { ref, endpoints: new Map(), isThere: false, isStale: true }
    this.#known.set(key, known)
    if (known.isStale) this.#refresh(known)
    return known.isThere ? known.endpoints : undefined
  }

  /** The least loaded of those not yet tried; those that could not be reached a moment ago come last. */
  choose(endpoints: ReadonlyMap<string, Endpoint>, tried: ReadonlySet<Endpoint>): Endpoint | undefined {
    const all = [...endpoints.values()]
    let best: Endpoint | undefined
    this.#turn += 1
    for (let index = 0; index < all.length; index++) {
      const candidate = all[(index + this.#turn) % all.length]
      if (!candidate || tried.has(candidate)) continue
      if (!best || loadOf(candidate) < loadOf(best)) best = candidate
    }
    return best
  }

  view(): object[] {
    return [...this.#known.values()].map(({ ref, endpoints }) => ({
      ...ref,
      endpoints: [...endpoints.values()].map(({ name, inFlight, connections }) => ({ name, inFlight, connections })),
    }))
  }

  #refresh(known: Known): void {
    const { ref } = known
    const service = this.#deps.service(ref.service)
    const found = service && endpointsOf(service, ref.port, this.#deps.slices(ref.service))
    known.isStale = false
    known.isThere = found !== undefined
    const { protocol = 'http', addresses = [] } = found ?? {}
    const wanted = new Map(addresses.map((one) => [`${protocol} ${one.address} ${one.port}`, one]))
    for (const [key, endpoint] of known.endpoints) {
      if (wanted.has(key)) continue
      known.endpoints.delete(key)
      endpoint.retire()
    }
    const { clock, connectTimeoutMs } = this.#deps
    for (const [key, { address, port }] of wanted) {
      if (known.endpoints.has(key)) continue
      known.endpoints.set(key, new Endpoint({ address, port, protocol, clock, connectTimeoutMs }))
    }
  }
}

function keyOf({ service, port }: ServicePortRef): string {
  return `${service} ${port}`
}

function loadOf(endpoint: Endpoint): number {
  return endpoint.inFlight + (endpoint.rests ? 1e6 : 0)
}

/** Chooses by weight; `random` is at least 0 and less than 1. Returns undefined when no backend has a weight. */
export function chooseBackend(backends: readonly WeightedBackend[], random: number): WeightedBackend | undefined {
  const [only] = backends
  if (backends.length === 1) return only && only.weight > 0 ? only : undefined
  const total = backends.reduce((sum, { weight }) => sum + weight, 0)
  let left = random * total
  return backends.find(({ weight }) => weight > 0 && (left -= weight) < 0)
}
