/**
 * Endpoints: which backends of a Service's port may be used, and by whom. Pure.
 *
 * As upstream (pkg/proxy/topology.go, CategorizeEndpoints):
 *   - only ready endpoints are used; when there are none, those that are terminating but still serve;
 *   - a policy of Local looks at the endpoints of one node alone, and so falls back there, too;
 *   - topology hints narrow the endpoints of the whole cluster to those meant for the node's zone, if every ready
 *     endpoint carries a hint and at least one is for this zone; they say nothing to a policy of Local;
 *   - a Service with publishNotReadyAddresses needs nothing here: its slices already say ready.
 */

import type { Endpoint, EndpointSlice, ServicePort } from '@dinghy/shared/api/types'

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface Backend {
  address: string
  port: number
  /** Unknown for endpoints that somebody wrote by hand. */
  node?: string
}

export interface Candidate extends Backend {
  isReady: boolean
  isServingWhileTerminating: boolean
  /** The zones whose nodes should use it; undefined without a hint. */
  zones?: string[]
}

/** The endpoints behind one port of the Service: the slice's port of the same name and protocol has the number. */
export function candidatesOf(port: ServicePort, slices: EndpointSlice[]): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue
    for (const { name = '', protocol = 'TCP', port: number } of slice.ports ?? []) {
      if (name !== (port.name ?? '') || protocol !== protocolOf(port.protocol) || number === undefined) continue
      for (const endpoint of slice.endpoints) addCandidate(found, endpoint, number)
    }
  }
  return [...found.values()]
}

// While an endpoint moves from one slice to another it may be seen in both: better to believe the ready one.
function addCandidate(found: Map<string, Candidate>, endpoint: Endpoint, port: number): void {
  const { addresses, conditions = {}, nodeName, hints } = endpoint
  const [address] = addresses
  if (address === undefined) return
  const { ready = true, serving = ready, terminating = false } = conditions
  const candidate: Candidate = {
    address,
    port,
    ...(nodeName === undefined ? {} : { node: nodeName }),
    isReady: ready,
    isServingWhileTerminating: serving && terminating,
    ...(hints?.forZones?.length ? { zones: hints.forZones.map(({ name }) => name) } : {}),
  }
  const key = `${address}:${port}`
  if (!found.get(key)?.isReady) found.set(key, candidate)
}

/** Those that a policy of Cluster uses on a node of this zone. */
export function usableFrom(zone: string | undefined, candidates: Candidate[]): Backend[] {
  return usable(nearest(zone, candidates))
}

/** Those that a policy of Local uses, of each node its own. */
export function usableOnEachNode(candidates: Candidate[]): Backend[] {
  const nodes = new Set(candidates.map(({ node }) => node))
  return [...nodes].flatMap((name) => usable(candidates.filter(({ node }) => node === name)))
}

function nearest(zone: string | undefined, candidates: Candidate[]): Candidate[] {
  const ready = candidates.filter(({ isReady }) => isReady)
  if (zone === undefined || ready.some(({ zones }) => zones === undefined)) return candidates
  const near = ready.filter(({ zones }) => zones?.includes(zone))
  return near.length > 0 ? near : candidates
}

function usable(candidates: Candidate[]): Backend[] {
  const ready = candidates.filter(({ isReady }) => isReady)
  const chosen = ready.length > 0 ? ready : candidates.filter((candidate) => candidate.isServingWhileTerminating)
  return chosen.map(({ address, port, node }) => ({ address, port, ...(node === undefined ? {} : { node }) }))
}

export function protocolOf(text: string | undefined): Protocol {
  return text === 'UDP' || text === 'SCTP' ? text : 'TCP'
}
