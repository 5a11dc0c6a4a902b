/**
 * Which requests an admission webhook or policy is asked about: rules of groups, versions, resources and operations,
 * and match conditions. Follows pkg/apis/admissionregistration/validation.
 */

import { duplicate, invalid, required, tooMany, type FieldError } from '@dinghy/shared/api/field-errors'
import { isPathSegmentName, isQualifiedName } from '@dinghy/shared/api/names'
import type { LabelSelector } from '@dinghy/shared/api/types'
import type { MatchCondition } from 'kubernetes-types/admissionregistration/v1.js'
import { type Compiled, expressionErrors } from './admission-expressions.ts'
import { labelSelector, named, notBesideWildcard, oneOf, requiredOneOf } from './checks.ts'

export const failurePolicies = ['Fail', 'Ignore']
export const matchPolicies = ['Equivalent', 'Exact']
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']

export interface AdmissionRule {
  apiGroups?: string[]
  apiVersions?: string[]
  operations?: string[]
  resources?: string[]
  resourceNames?: string[]
  scope?: string
}

export interface MatchResources {
  matchPolicy?: string
  namespaceSelector?: LabelSelector
  objectSelector?: LabelSelector
  resourceRules?: AdmissionRule[]
  excludeResourceRules?: AdmissionRule[]
}

export function defaultRules(rules: AdmissionRule[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*'
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (!match) return
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  defaultRules(match.resourceRules)
  defaultRules(match.excludeResourceRules)
}

export function validateMatchResources(match: MatchResources | undefined, path: string): FieldError[] {
  if (!match) return []
  const { resourceRules = [], excludeResourceRules = [] } = match
  return [
    ...requiredOneOf(`${path}.matchPolicy`, match.matchPolicy, matchPolicies),
    ...labelSelector(`${path}.namespaceSelector`, match.namespaceSelector),
    ...labelSelector(`${path}.objectSelector`, match.objectSelector),
    ...resourceRules.flatMap((rule, i) => validateNamedRule(rule, `${path}.resourceRules[${i}]`)),
    ...excludeResourceRules.flatMap((rule, i) => validateNamedRule(rule, `${path}.excludeResourceRules[${i}]`)),
  ]
}

function validateNamedRule(rule: AdmissionRule, path: string): FieldError[] {
  const { resourceNames = [] } = rule
  const errors = resourceNames.flatMap((name, i) => [
    ...named(`${path}.resourceNames[${i}]`, name, isPathSegmentName(name)),
    ...(resourceNames.indexOf(name) < i ? [duplicate(`${path}.resourceNames[${i}]`, name)] : []),
  ])
  return [...errors, ...validateAdmissionRule(rule, path)]
}

export function validateAdmissionRule(rule: AdmissionRule, path: string): FieldError[] {
  const { apiGroups = [], apiVersions = [], resources = [], scope } = rule
  const asked = rule.operations ?? []
  return [
    ...atLeastOne(`${path}.operations`, asked),
    ...notBesideWildcard(`${path}.operations`, asked, 'operations'),
    ...asked.flatMap((operation, i) => oneOf(`${path}.operations[${i}]`, operation, operations)),
    ...atLeastOne(`${path}.apiGroups`, apiGroups),
    ...notBesideWildcard(`${path}.apiGroups`, apiGroups, 'API groups'),
    ...atLeastOne(`${path}.apiVersions`, apiVersions),
    ...notBesideWildcard(`${path}.apiVersions`, apiVersions, 'API versions'),
    ...apiVersions.flatMap((version, i) => (version === '' ? [required(`${path}.apiVersions[${i}]`)] : [])),
    ...atLeastOne(`${path}.resources`, resources),
    ...validateResources(resources, `${path}.resources`),
    ...oneOf(`${path}.scope`, scope, scopes),
  ]
}

function atLeastOne(path: string, list: string[]): FieldError[] {
  return list.length === 0 ? [required(path)] : []
}

// "pods", "pods/log", "pods/*", "*/status", "*", "*/*": none of them may cover another one of the list. As upstream,
// only what comes after a wildcard is compared with it.
function validateResources(resources: string[], path: string): FieldError[] {
  const errors: FieldError[] = []
  const allSubresourcesOf = new Set<string>()
  const ofAllResources = new Set<string>()
  for (const [i, entry] of resources.entries()) {
    const at = `${path}[${i}]`
    const slash = entry.indexOf('/')
    if (entry === '') errors.push(required(at))
    if (slash < 0) continue
    const [resource, subresource] = [entry.slice(0, slash), entry.slice(slash + 1)]
    if (allSubresourcesOf.has(resource)) {
      errors.push(invalid(at, entry, `if '${resource}/*' is present, must not specify ${entry}`))
    }
    if (ofAllResources.has(subresource)) {
      errors.push(invalid(at, entry, `if '*/${subresource}' is present, must not specify ${entry}`))
    }
    if (subresource === '*') allSubresourcesOf.add(resource)
    if (resource === '*') ofAllResources.add(subresource)
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
  }
  const plain = resources.filter((entry) => entry !== '' && !entry.includes('/'))
  if (plain.includes('*') && plain.at(-1) !== '*') {
    const detail = "if '*' is present, must not specify other resources without subresources"
    errors.push(invalid(path, resources, detail))
  }
  return errors
}

const maxMatchConditions = 64

/** `compiled` are the conditions' expressions, in their order. */
export function validateMatchConditions(
  conditions: MatchCondition[] | undefined,
  compiled: readonly Compiled[],
  path: string,
): FieldError[] {
  const list = conditions ?? []
  const errors = list.length > maxMatchConditions ? [tooMany(path, list.length, maxMatchConditions)] : []
  const names = new Set<string>()
  for (const [i, { name, expression }] of list.entries()) {
    if (!expression?.trim()) errors.push(required(`${path}[${i}].expression`))
    errors.push(...expressionErrors(`${path}[${i}].expression`, expression, compiled[i]))
    errors.push(...(name ? named(`${path}[${i}].name`, name, isQualifiedName(name)) : [required(`${path}[${i}].name`)]))
    if (names.has(name)) errors.push(duplicate(`${path}[${i}].name`, name))
    else if (name) names.add(name)
  }
  return errors
}
