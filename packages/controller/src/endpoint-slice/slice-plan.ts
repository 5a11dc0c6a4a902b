/**
 * Which EndpointSlices a Service should have, given those it has. Pure.
 *
 * A slice holds up to 100 endpoints that all have the same ports. Every proxy in the cluster watches every slice, so
 * the plan changes as few slices as it can: an endpoint stays in the slice it is in; new endpoints go first into slices
 * that change anyway, then into the fullest one with room for all of them, and only then into a new slice.
 * Slices are never merged for tidiness. Follows staging/src/k8s.io/endpointslice/reconciler.go.
 */

import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { Services } from '@dinghy/shared/api/resources'
import type { Draft, Endpoint, EndpointPort, EndpointSlice, Node, Pod, Service } from '@dinghy/shared/api/types'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { endpointOf, portsKey, portsOf, sliceLabels } from './endpoint.ts'
import { isEndpoint } from './service-pods.ts'

export const mostEndpoints = 100

export interface SlicePlan {
  create: Draft<EndpointSlice>[]
  update: EndpointSlice[]
  remove: EndpointSlice[]
}

interface Group {
  ports: EndpointPort[]
  /** By the uid of the pod. */
  endpoints: Map<string, Endpoint>
}

/** `existing` are the slices of this Service that this controller manages; `nodeOf` tells the zones. */
export function planSlices(
  service: Service,
  pods: Pod[],
  existing: EndpointSlice[],
  nodeOf: (name: string) => Node | undefined,
): SlicePlan {
  const groups = groupByPorts(service, pods, nodeOf)
  const plan: SlicePlan = { create: [], update: [], remove: [] }
  const keys = new Set([...existing.map(portsKeyOf), ...groups.keys()])
  for (const key of keys) {
    const slices = existing.filter((slice) => portsKeyOf(slice) === key)
    fill(service, slices, groups.get(key) ?? { ports: [], endpoints: new Map() }, plan)
  }
  keepOne(service, existing, plan)
  reuse(service, plan)
  return plan
}

function groupByPorts(service: Service, pods: Pod[], nodeOf: (name: string) => Node | undefined): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const pod of pods.filter(isEndpoint)) {
    const ports = portsOf(pod, service)
    const key = portsKey(ports)
    const group = groups.get(key) ?? { ports, endpoints: new Map<string, Endpoint>() }
    group.endpoints.set(pod.metadata.uid, endpointOf(pod, service, nodeOf(pod.spec.nodeName ?? '')))
    groups.set(key, group)
  }
  return groups
}

interface Draw {
  slice: EndpointSlice
  endpoints: Endpoint[]
  isChanged: boolean
}

/** Distributes one group of endpoints over the slices with its ports. */
function fill(service: Service, slices: EndpointSlice[], { ports, endpoints }: Group, plan: SlicePlan): void {
  const waiting = new Map(endpoints)
  const draws = slices.map((slice): Draw => {
    const kept = (slice.endpoints ?? []).flatMap((endpoint) => {
      const uid = endpoint.targetRef?.uid ?? ''
      const next = waiting.get(uid)
      waiting.delete(uid)
      return next ? [next] : []
    })
    return { slice, endpoints: kept, isChanged: !isSemanticallyEqual(kept, slice.endpoints) }
  })
  const homeless = [...waiting.values()]

  for (const draw of draws.filter((one) => one.isChanged)) move(homeless, draw)
  if (homeless.length > 0 && homeless.length <= mostEndpoints) {
    const roomy = draws.filter((draw) => draw.endpoints.length + homeless.length <= mostEndpoints)
    const fullest = roomy.sort((a, b) => b.endpoints.length - a.endpoints.length)[0]
    if (fullest) move(homeless, fullest)
  }
  while (homeless.length > 0) plan.create.push(newSlice(service, ports, homeless.splice(0, mostEndpoints)))

  for (const draw of draws) {
    if (draw.endpoints.length === 0) plan.remove.push(draw.slice)
    else if (draw.isChanged || isOutdated(service, draw.slice)) plan.update.push(nextSlice(service, draw))
  }
}

function move(from: Endpoint[], to: Draw): void {
  const taken = from.splice(0, mostEndpoints - to.endpoints.length)
  to.endpoints.push(...taken)
  to.isChanged ||= taken.length > 0
}

/** A Service without endpoints keeps one empty slice, as a sign that it has been looked at. */
function keepOne(service: Service, existing: EndpointSlice[], plan: SlicePlan): void {
  if (plan.create.length > 0 || plan.remove.length < existing.length) return
  const placeholder = plan.remove.find((slice) => isEmpty(slice) && !isOutdated(service, slice))
  if (placeholder) plan.remove = plan.remove.filter((slice) => slice !== placeholder)
  else plan.create.push(newSlice(service, [], []))
}

/** One that would go becomes one that would come: the name, and with it everybody's cache entry, stays. */
function reuse(service: Service, plan: SlicePlan): void {
  for (const { endpoints, ports = [] } of plan.create.splice(0, plan.remove.length)) {
    const slice = plan.remove.shift()
    if (slice) plan.update.push({ ...nextSlice(service, { slice, endpoints }), ports })
  }
}

function isEmpty(slice: EndpointSlice): boolean {
  return (slice.endpoints ?? []).length === 0 && (slice.ports ?? []).length === 0
}

function portsKeyOf(slice: EndpointSlice): string {
  return portsKey(slice.ports ?? [])
}

function newSlice(service: Service, ports: EndpointPort[], endpoints: Endpoint[]): Draft<EndpointSlice> {
  const { name, namespace } = service.metadata
  return {
    metadata: {
      generateName: `${name}-`,
      namespace: namespace ?? '',
      labels: sliceLabels(service),
      ownerReferences: [ownerReferenceTo(service, Services)],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  }
}

function nextSlice(
  service: Service,
  { slice, endpoints }: { slice: EndpointSlice; endpoints: Endpoint[] },
): EndpointSlice {
  const metadata = {
    ...slice.metadata,
    labels: sliceLabels(service),
    ownerReferences: [ownerReferenceTo(service, Services)],
  }
  return { ...slice, metadata, endpoints }
}

function isOutdated(service: Service, slice: EndpointSlice): boolean {
  return !isSemanticallyEqual(slice.metadata.labels, sliceLabels(service))
}
