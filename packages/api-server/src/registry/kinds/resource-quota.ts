/**
 * ResourceQuotas: how much one namespace may have, of everything or only of pods within a scope.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { ResourceQuota } from '@dinghy/shared/api/types'
import type { ResourceQuotaSpec, ScopedResourceSelectorRequirement } from 'kubernetes-types/core/v1.js'
import { unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { resourceAmount, resourceName } from './pod-spec/resources.ts'

export const resourceQuotas: KindRules<ResourceQuota> = {
  strategy: {
    validate: ({ spec }) => [
      ...validateAmounts(spec?.hard, 'spec.hard'),
      ...validateScopes(spec ?? {}),
      ...validateScopeSelector(spec ?? {}),
    ],
    validateUpdate: (next, previous) =>
      unchanged('spec.scopes', sorted(next.spec?.scopes), sorted(previous.spec?.scopes)),
    validateStatusUpdate: ({ status }) => [
      ...validateAmounts(status?.hard, 'status.hard'),
      ...validateAmounts(status?.used, 'status.used'),
    ],
  },
}

/** Scopes are a set. */
function sorted(scopes: string[] = []): string[] {
  return [...new Set(scopes)].sort()
}

function validateAmounts(amounts: Record<string, string> | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([resource, amount]) => {
    const at = `${path}[${resource}]`
    const errors = resourceName(resource, at)
    if (!isQuotaResource(resource)) errors.push(invalid(at, resource, 'must be a standard resource for quota'))
    return [...errors, ...resourceAmount(resource, amount, at)]
  })
}

const quotaResources = new Set(
  `cpu memory ephemeral-storage pods services replicationcontrollers resourcequotas secrets configmaps
  persistentvolumeclaims requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu
  limits.memory limits.ephemeral-storage services.loadbalancers services.nodeports`.split(/\s+/),
)

/** Standard resources, hugepages, and "count/deployments.apps" or "requests.example.com/gpu". */
function isQuotaResource(resource: string): boolean {
  return resource.includes('/') || isStandard(resource)
}

// ---- scopes

const withoutValues = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity']
const scopes = new Set([...withoutValues, 'PriorityClass'])

/** What can be counted of the pods of a scope. */
const podResources = new Set('pods cpu memory requests.cpu requests.memory limits.cpu limits.memory'.split(' '))

function fits(scope: string, resource: string): boolean {
  if (!isStandard(resource) || !scopes.has(scope)) return true
  if (scope === 'BestEffort') return resource === 'pods'
  return podResources.has(resource)
}

function isStandard(resource: string): boolean {
  return quotaResources.has(resource) || /^(requests\.)?hugepages-/.test(resource)
}

function conflicts(names: string[]): boolean {
  return [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ].some((pair) => pair.every((name) => names.includes(name)))
}

const misapplied = 'unsupported scope applied to resource'

function validateScopes({ scopes: names = [], hard = {} }: ResourceQuotaSpec): FieldError[] {
  const path = 'spec.scopes'
  const errors = names.flatMap((name) => [
    ...(scopes.has(name) ? [] : [invalid(path, names, 'unsupported scope')]),
    ...Object.keys(hard).flatMap((resource) => (fits(name, resource) ? [] : [invalid(path, names, misapplied)])),
  ])
  return conflicts(names) ? [...errors, invalid(path, names, 'conflicting scopes')] : errors
}

/** Upstream's paths name no index. */
function validateScopeSelector({ scopeSelector, scopes: names, hard = {} }: ResourceQuotaSpec): FieldError[] {
  const path = 'spec.scopeSelector.matchExpressions'
  const requirements = scopeSelector?.matchExpressions ?? []
  const errors = requirements.flatMap((requirement) => [
    ...(scopes.has(requirement.scopeName)
      ? []
      : [invalid(`${path}.scopeName`, requirement.scopeName, 'unsupported scope')]),
    ...Object.keys(hard).flatMap((resource) =>
      fits(requirement.scopeName, resource) ? [] : [invalid(path, scopeSelector, misapplied)],
    ),
    ...validateRequirement(requirement, path),
  ])
  const isConflict = conflicts(requirements.map(({ scopeName }) => scopeName))
  return isConflict ? [...errors, invalid(path, names, 'conflicting scopes')] : errors
}

function validateRequirement(requirement: ScopedResourceSelectorRequirement, path: string): FieldError[] {
  const { scopeName, operator, values = [] } = requirement
  const errors: FieldError[] = []
  if (withoutValues.includes(scopeName) && operator !== 'Exists') {
    const detail =
      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
    errors.push(invalid(`${path}.operator`, operator, detail))
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length > 0) return errors
    const detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
    return [...errors, required(`${path}.values`, detail)]
  }
  if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length === 0) return errors
    const detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
    return [...errors, invalid(`${path}.values`, values, detail)]
  }
  return [...errors, invalid(`${path}.operator`, operator, 'not a valid selector operator')]
}
