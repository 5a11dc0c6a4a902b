/**
 * Requests and limits of a container, the names that a resource may have, and how a running container may be resized.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import { compareQuantities, isQuantity, parseQuantity } from '@dinghy/shared/api/quantity'
import type { Container, ResourceRequirements } from '@dinghy/shared/api/types'
import { named, nonNegativeQuantity } from '../checks.ts'

export function validateResources(resources: ResourceRequirements | undefined, path: string): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {}
  const errors = amounts(limits, `${path}.limits`)
  for (const [resource, request] of Object.entries(requests)) {
    errors.push(...amounts({ [resource]: request }, `${path}.requests`))
    errors.push(...withinLimit(resource, request, ownValue(limits, resource), path))
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    errors.push(forbidden(path, 'HugePages require cpu or memory'))
  }
  return errors
}

function withinLimit(resource: string, request: string, limit: string | undefined, path: string): FieldError[] {
  if (limit === undefined) {
    if (isOvercommitable(resource)) return []
    return [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')]
  }
  const difference = compareQuantities(request, limit)
  if (!isOvercommitable(resource) && difference !== 0) {
    return [invalid(`${path}.requests`, request, `must be equal to ${resource} limit of ${limit}`)]
  }
  if (difference <= 0) return []
  return [invalid(`${path}.requests`, request, `must be less than or equal to ${resource} limit of ${limit}`)]
}

function amounts(list: Record<string, string>, path: string): FieldError[] {
  return Object.entries(list).flatMap(([resource, amount]) => {
    const at = `${path}[${resource}]`
    const errors = [...containerResourceName(resource, at), ...resourceAmount(resource, amount, at)]
    if (isHugePages(resource) && !isDivisible(resource, amount)) {
      errors.push(invalid(at, amount, `${amount} is not positive integer multiple of ${resource}`))
    }
    return errors
  })
}

/** Shared with LimitRanges of pods and containers. */
export function containerResourceName(resource: string, path: string): FieldError[] {
  const errors = resourceName(resource, path)
  if (!resource.includes('/')) {
    if (isForContainers(resource)) return errors
    return [...errors, invalid(path, resource, 'must be a standard resource for containers')]
  }
  if (isNative(resource) || isExtended(resource)) return errors
  return [...errors, invalid(path, resource, "doesn't follow extended resource name standard")]
}

/** Of whatever may be counted, not only in containers. */
export function resourceName(resource: string, path: string): FieldError[] {
  const errors = named(path, resource, isQualifiedName(resource))
  if (errors.length > 0 || resource.includes('/') || isStandard(resource)) return errors
  return [invalid(path, resource, 'must be a standard resource type or fully qualified')]
}

/** Not negative, and whole where it counts things. */
export function resourceAmount(resource: string, amount: string, path: string): FieldError[] {
  const errors = nonNegativeQuantity(path, amount)
  if (!isCounted(resource) || parseQuantity(amount).nano % 1_000_000_000n === 0n) return errors
  return [...errors, invalid(path, amount, 'must be an integer')]
}

const counted = new Set(
  `pods resourcequotas services replicationcontrollers secrets configmaps persistentvolumeclaims services.nodeports
  services.loadbalancers`.split(/\s+/),
)

function isCounted(resource: string): boolean {
  return counted.has(resource) || isExtended(resource)
}

const standard = new Set(
  `cpu memory ephemeral-storage requests.cpu requests.memory requests.ephemeral-storage limits.cpu limits.memory
  limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets configmaps
  persistentvolumeclaims storage requests.storage services.nodeports services.loadbalancers`.split(/\s+/),
)

function isStandard(resource: string): boolean {
  return standard.has(resource) || isHugePages(resource.replace(/^requests\./, ''))
}

function isForContainers(resource: string): boolean {
  return ['cpu', 'memory', 'ephemeral-storage'].includes(resource) || isHugePages(resource)
}

function isHugePages(resource: string): boolean {
  return resource.startsWith('hugepages-')
}

function isDivisible(resource: string, amount: string): boolean {
  const size = resource.slice('hugepages-'.length)
  const page = isQuantity(size) ? parseQuantity(size).nano : 0n
  return page > 0n && parseQuantity(amount).nano % page === 0n
}

/** Kubernetes' own resources, as opposed to those that somebody adds to nodes. */
function isNative(resource: string): boolean {
  return !resource.includes('/') || resource.includes('kubernetes.io/')
}

function isExtended(resource: string): boolean {
  if (isNative(resource) || resource.startsWith('requests.')) return false
  return isQualifiedName(`requests.${resource}`).length === 0
}

/** A node may promise more CPU than it has, but not more GPUs. */
export function isOvercommitable(resource: string): boolean {
  return isNative(resource) && !isHugePages(resource)
}

// ---- resizing

export function validateResizePolicy(
  policies: Container['resizePolicy'],
  podRestartPolicy: string | undefined,
  path: string,
): FieldError[] {
  const seen = new Set<string>()
  return (policies ?? []).flatMap(({ resourceName: resource, restartPolicy }, i) => {
    const errors = seen.has(resource) ? [duplicate(`${path}[${i}]`, resource)] : []
    seen.add(resource)
    errors.push(...oneRequired(resource, ['cpu', 'memory'], path))
    errors.push(...oneRequired(restartPolicy, ['NotRequired', 'RestartContainer'], path))
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      errors.push(invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    }
    return errors
  })
}

/** The path is that of the list. */
function oneRequired(value: string, known: string[], path: string): FieldError[] {
  if (!value) return [required(path)]
  return known.includes(value) ? [] : [notSupported(path, value, known)]
}

/** What a resize must not do to one container: take a request or limit away, or memory from a running process. */
export function validateResize(next: Container, previous: Container, path: string): FieldError[] {
  const [now, before] = [next.resources ?? {}, previous.resources ?? {}]
  const errors: FieldError[] = []
  for (const field of ['requests', 'limits'] as const) {
    const isRemoved = Object.keys(before[field] ?? {}).some((resource) => ownValue(now[field], resource) === undefined)
    if (isRemoved) errors.push(forbidden(`${path}.${field}`, `resource ${field} cannot be removed`))
  }
  const policy = next.resizePolicy?.find(({ resourceName: resource }) => resource === 'memory')?.restartPolicy
  if (policy === 'RestartContainer') return errors
  const [limit, old] = [now.limits?.['memory'], before.limits?.['memory']]
  if (limit === undefined || (old !== undefined && compareQuantities(limit, old) >= 0)) return errors
  const what = old === undefined ? 'added' : 'decreased'
  const detail = `memory limits cannot be ${what} unless resizePolicy is RestartContainer`
  return [...errors, forbidden(`${path}.limits[memory]`, detail)]
}
