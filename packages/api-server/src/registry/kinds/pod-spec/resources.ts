/**
 * Requests and limits of a container.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import { compareQuantities, milliCpu } from '@dinghy/shared/api/quantity'
import type { ResourceRequirements } from '@dinghy/shared/api/types'
import { named, nonNegativeQuantity } from '../checks.ts'

export function validateResources(resources: ResourceRequirements | undefined, path: string): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {}
  const errors = [...amounts(limits, `${path}.limits`), ...amounts(requests, `${path}.requests`)]
  for (const [resource, request] of Object.entries(requests)) {
    const limit = ownValue(limits, resource)
    if (limit === undefined) {
      if (!isOvercommitable(resource)) {
        errors.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'))
      }
    } else if (!isOvercommitable(resource) && compareQuantities(request, limit) !== 0) {
      errors.push(invalid(`${path}.requests`, request, `must be equal to ${resource} limit of ${limit}`))
    } else if (compareQuantities(request, limit) > 0) {
      errors.push(invalid(`${path}.requests`, request, `must be less than or equal to ${resource} limit of ${limit}`))
    }
  }
  return errors
}

function amounts(list: Record<string, string>, path: string): FieldError[] {
  return Object.entries(list).flatMap(([resource, amount]) => {
    const at = `${path}[${resource}]`
    const errors = named(at, resource, isQualifiedName(resource))
    if (!resource.includes('/') && !isStandard(resource)) {
      errors.push(invalid(at, resource, 'must be a standard resource for containers'))
    }
    errors.push(...nonNegativeQuantity(at, amount))
    if (!isOvercommitable(resource) && milliCpu(amount) % 1000 !== 0)
      errors.push(invalid(at, amount, 'must be an integer'))
    return errors
  })
}

function isStandard(resource: string): boolean {
  return ['cpu', 'memory', 'ephemeral-storage'].includes(resource) || resource.startsWith('hugepages-')
}

/** A node may promise more CPU than it has, but not more GPUs. */
export function isOvercommitable(resource: string): boolean {
  const [domain = '', name] = resource.split('/')
  return !resource.startsWith('hugepages-') && (name === undefined || domain.endsWith('kubernetes.io'))
}
