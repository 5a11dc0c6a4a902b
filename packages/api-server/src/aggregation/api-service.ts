/**
 * What an APIService says, and what can be told of it without asking anybody: which requests it is about, and whether
 * there is a program behind its Service. Pure; follows kube-aggregator's availability controllers.
 */

import type { EndpointSlice, KubernetesObject, Service } from '@dinghy/shared/api/types'
import type { Resource } from '@dinghy/shared/api/resources'

export interface APIService extends KubernetesObject {
  spec: {
    group?: string
    version?: string
    groupPriorityMinimum: number
    versionPriority: number
    caBundle?: string
    insecureSkipTLSVerify?: boolean
    /** Absent: this server answers itself ("Local"). */
    service?: ServiceReference
  }
  status?: { conditions?: Condition[] }
}

export interface ServiceReference {
  namespace: string
  name: string
  port: number
}

export interface Condition {
  type: 'Available'
  status: 'True' | 'False'
  lastTransitionTime: string
  reason: string
  message: string
}

export type Availability = Pick<Condition, 'status' | 'reason' | 'message'>

export const APIServices: Resource<APIService> = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
}

export const passed: Availability = { status: 'True', reason: 'Passed', message: 'all checks passed' }
export const local: Availability = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
}

export function unavailable(reason: string, message: string): Availability {
  return { status: 'False', reason, message }
}

/** "v1beta1.metrics.k8s.io" of /apis/metrics.k8s.io/v1beta1/nodes; undefined for paths of no group. */
export function apiServiceNameOf(path: string): string | undefined {
  if (!path.startsWith('/apis/')) return undefined
  const [, root, group, version] = path.split('/')
  return root === 'apis' && group && version ? `${version}.${group}` : undefined
}

/** Undefined if only a request can tell. */
export function availabilityOf(
  { namespace, name, port }: ServiceReference,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): Availability | undefined {
  const where = `${name} in ${JSON.stringify(namespace)}`
  if (!service) return unavailable('ServiceNotFound', `service/${where} is not present`)
  // Only a ClusterIP Service must have endpoints; an ExternalName, say, has none of its own.
  if ((service.spec.type ?? 'ClusterIP') !== 'ClusterIP') return undefined
  const found = service.spec.ports?.find((one) => one.port === port)
  if (!found) return unavailable('ServicePortError', `service/${where} is not listening on port ${port}`)
  if (slices.length === 0) {
    return unavailable('EndpointsNotFound', `cannot find endpointslices for service/${where}`)
  }
  const portName = found.name ?? ''
  const isServed = slices.some(
    ({ endpoints, ports }) =>
      endpoints.some(({ conditions }) => conditions?.ready !== false) &&
      ports?.some((one) => (one.name ?? '') === portName && one.port !== undefined),
  )
  return isServed
    ? undefined
    : unavailable(
        'MissingEndpoints',
        `endpointslices for service/${where} have no addresses with port name ${JSON.stringify(portName)}`,
      )
}

/** The conditions with this one, or undefined if they say so already. */
export function withAvailability(
  conditions: readonly Condition[],
  availability: Availability,
  now: string,
): Condition[] | undefined {
  const known = conditions.find(({ type }) => type === 'Available')
  const { status, reason, message } = availability
  if (known?.status === status && known.reason === reason && known.message === message) return undefined
  const lastTransitionTime = known?.status === status ? known.lastTransitionTime : now
  return [
    ...conditions.filter(({ type }) => type !== 'Available'),
    { type: 'Available', lastTransitionTime, ...availability },
  ]
}
