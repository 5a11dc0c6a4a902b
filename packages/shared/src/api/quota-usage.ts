/**
 * What one object costs, by the names of ResourceQuota: pods, requests.cpu, services.nodeports, count/deployments.apps,
 * …
 *
 * Pure; the api-server asks before it lets an object in, the quota controller to show what is used. An object that
 * costs nothing of a name leaves the name out. Follows pkg/quota/v1/evaluator.
 */

import { ownValue } from './own-value.ts'
import { podRequirements } from './pod-requirements.ts'
import { addQuantities } from './quantity.ts'
import type { KubernetesObject, PersistentVolumeClaim, Pod, ResourceQuota, Service } from './types.ts'

export type Quantities = Record<string, string>

const countedByName = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
])

/** A resource, whatever its version. */
export interface CountedResource {
  group: string
  plural: string
}

export function usageOf({ group, plural }: CountedResource, object: KubernetesObject): Quantities {
  const usage: Quantities = { [group ? `count/${plural}.${group}` : `count/${plural}`]: '1' }
  if (group !== '') return usage
  if (plural === 'pods') return isTerminal(object as Pod) ? usage : { ...usage, ...podUsage(object as Pod) }
  if (countedByName.has(plural)) usage[plural] = '1'
  if (plural === 'services') Object.assign(usage, serviceUsage(object as Service))
  if (plural === 'persistentvolumeclaims') Object.assign(usage, claimUsage(object as PersistentVolumeClaim))
  return usage
}

/** A pod that has ended, or that a dead node will never report the end of, holds nothing any more. */
function isTerminal({ status }: Pod): boolean {
  return status.phase === 'Succeeded' || status.phase === 'Failed'
}

function podUsage(pod: Pod): Quantities {
  const { requests, limits } = podRequirements(pod)
  const usage: Quantities = { pods: '1' }
  for (const [name, value] of Object.entries(requests)) {
    usage[`requests.${name}`] = value
    // The short names are those of the requests.
    if (['cpu', 'memory', 'ephemeral-storage'].includes(name)) usage[name] = value
  }
  for (const [name, value] of Object.entries(limits)) usage[`limits.${name}`] = value
  return usage
}

function serviceUsage({ spec }: Service): Quantities {
  const ports = (spec.ports ?? []).length
  const nodePorts =
    spec.type === 'NodePort'
      ? ports
      : spec.type !== 'LoadBalancer'
        ? 0
        : spec.allocateLoadBalancerNodePorts === false
          ? (spec.ports ?? []).filter((port) => port.nodePort).length
          : ports
  return {
    ...(nodePorts > 0 ? { 'services.nodeports': String(nodePorts) } : {}),
    ...(spec.type === 'LoadBalancer' ? { 'services.loadbalancers': '1' } : {}),
  }
}

function claimUsage({ spec }: PersistentVolumeClaim): Quantities {
  const storage = spec.resources?.requests?.['storage']
  const ofClass = spec.storageClassName ? `${spec.storageClassName}.storageclass.storage.k8s.io` : undefined
  return {
    ...(storage ? { 'requests.storage': storage } : {}),
    ...(ofClass ? { [`${ofClass}/persistentvolumeclaims`]: '1' } : {}),
    ...(ofClass && storage ? { [`${ofClass}/requests.storage`]: storage } : {}),
  }
}

/** Whether the quota is about this object at all. Scopes speak of pods only. */
export function isInScope(quota: ResourceQuota, plural: string, object: KubernetesObject): boolean {
  const scopes: Scope[] = (quota.spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }))
  const selected: Scope[] = quota.spec.scopeSelector?.matchExpressions ?? []
  const all = [...scopes, ...selected]
  if (all.length === 0) return true
  return plural === 'pods' && all.every((scope) => matchesScope(scope, object as Pod))
}

interface Scope {
  scopeName: string
  operator: string
  values?: string[]
}

function matchesScope({ scopeName, operator, values = [] }: Scope, pod: Pod): boolean {
  const { spec } = pod
  switch (scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined
    case 'BestEffort':
      return isBestEffort(pod)
    case 'NotBestEffort':
      return !isBestEffort(pod)
    case 'PriorityClass':
      return matchesValue(operator, values, spec.priorityClassName ?? '')
    case 'CrossNamespacePodAffinity':
      return hasCrossNamespaceAffinity(pod)
    default:
      return false
  }
}

function matchesValue(operator: string, values: string[], value: string): boolean {
  switch (operator) {
    case 'In':
      return values.includes(value)
    case 'NotIn':
      return !values.includes(value)
    case 'DoesNotExist':
      return value === ''
    default:
      return value !== ''
  }
}

function isBestEffort(pod: Pod): boolean {
  const { requests, limits } = podRequirements(pod)
  return ['cpu', 'memory'].every((name) => requests[name] === undefined && limits[name] === undefined)
}

function hasCrossNamespaceAffinity({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  return [podAffinity, podAntiAffinity].some((affinity) => {
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const terms = [...required, ...preferred.map(({ podAffinityTerm }) => podAffinityTerm)]
    return terms.some((term) => Boolean(term.namespaces?.length) || term.namespaceSelector !== undefined)
  })
}

/**
 * What these objects, all of one resource, use of what the quota limits; the names are those of `hard` that they
 * concern.
 */
export function quotaUsage(
  quota: ResourceQuota,
  resource: CountedResource,
  objects: readonly KubernetesObject[],
): Quantities {
  const used: Quantities = {}
  for (const object of objects) {
    if (!isInScope(quota, resource.plural, object)) continue
    for (const [name, amount] of Object.entries(usageOf(resource, object))) {
      if (ownValue(quota.spec.hard, name) === undefined) continue
      used[name] = addQuantities(ownValue(used, name) ?? '0', amount)
    }
  }
  return used
}

/** Of which resource objects have to be counted for a name of `hard`: "count/jobs.batch" → jobs of batch. */
export function countedFor(name: string): CountedResource {
  const core = (plural: string): CountedResource => ({ group: '', plural })
  if (name.startsWith('count/')) {
    const [plural = '', ...group] = name.slice('count/'.length).split('.')
    return { group: group.join('.'), plural }
  }
  if (name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/'))
    return core('persistentvolumeclaims')
  if (name.startsWith('services.')) return core('services')
  return core(countedByName.has(name) ? name : 'pods')
}
