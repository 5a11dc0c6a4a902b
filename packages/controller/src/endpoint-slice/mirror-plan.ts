/**
 * Endpoints that somebody wrote by hand, as EndpointSlices. Pure.
 *
 * A Service without a selector may point anywhere: to a database outside the cluster, say. Its Endpoints are written by
 * the user, in the older form that tutorials know, but proxies read slices only; so they are copied over.
 */

import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { EndpointsResource } from '@dinghy/shared/api/resources'
import type {
  Draft,
  Endpoint,
  EndpointAddress,
  EndpointPort,
  Endpoints,
  EndpointSlice,
  Service,
} from '@dinghy/shared/api/types'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { managedByLabel, portsKey, serviceNameLabel } from './endpoint.ts'
import { mostEndpoints, type SlicePlan } from './slice-plan.ts'

export const mirroredBy = 'endpointslicemirroring-controller.k8s.io'
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror'
/** An old way of electing leaders kept its records in Endpoints. */
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'

/** Whether these Endpoints are by hand, and meant to be used. */
export function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  const { labels, annotations } = endpoints.metadata
  if (labels?.[skipLabel] === 'true' || annotations?.[leaderAnnotation] !== undefined) return false
  return service !== undefined && service.spec.selector === undefined
}

/** `existing` are the slices that were made of these Endpoints before. */
export function planMirror(endpoints: Endpoints, existing: EndpointSlice[]): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], remove: [...existing] }
  for (const wanted of mirrorOf(endpoints)) {
    const key = portsKey(wanted.ports ?? [])
    const present = plan.remove.find((slice) => portsKey(slice.ports ?? []) === key)
    if (!present) {
      plan.create.push(wanted)
      continue
    }
    plan.remove.splice(plan.remove.indexOf(present), 1)
    const { labels = {} } = wanted.metadata
    const isSame =
      isSemanticallyEqual(present.endpoints, wanted.endpoints) && isSemanticallyEqual(present.metadata.labels, labels)
    if (!isSame)
      plan.update.push({ ...present, metadata: { ...present.metadata, labels }, endpoints: wanted.endpoints })
  }
  return plan
}

function mirrorOf(endpoints: Endpoints): Draft<EndpointSlice>[] {
  const { name, namespace, labels } = endpoints.metadata
  return (endpoints.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
    const all = [
      ...addresses.map((one) => endpointOf(one, true)),
      ...notReadyAddresses.map((one) => endpointOf(one, false)),
    ]
    const slicePorts: EndpointPort[] = ports.map(({ name = '', protocol = 'TCP', ...port }) => ({
      name,
      protocol,
      ...port,
    }))
    return inChunks(all.filter(({ addresses: [ip = ''] }) => ip.includes('.'))).map((chunk) => ({
      metadata: {
        generateName: `${name}-`,
        namespace: namespace ?? '',
        labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: mirroredBy },
        ownerReferences: [ownerReferenceTo(endpoints, EndpointsResource)],
      },
      addressType: 'IPv4',
      endpoints: chunk,
      ports: slicePorts,
    }))
  })
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef ? { targetRef } : {}),
  }
}

function inChunks<T>(items: T[]): T[][] {
  const count = Math.ceil(items.length / mostEndpoints)
  return Array.from({ length: count }, (_, index) => items.slice(index * mostEndpoints, (index + 1) * mostEndpoints))
}
