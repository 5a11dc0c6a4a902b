/**
 * What a rule of a role allows, as a pure function (upstream's RuleAllows and pkg/apis/rbac/v1's evaluation helpers).
 *
 *   verbs, apiGroups      "*" is any
 *   resources             "pods", "pods/log"; "*" for all, with their subresources; a star in the place of the resource
 *                         ("*" + "/scale") for one subresource of all
 *   resourceNames         none is any; a request without a name (list, create) matches no rule that has some
 *   nonResourceURLs       "/healthz", "*", and with a star at the end whatever begins so
 */

import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { AccessAttributes } from '../authorize.ts'

const all = '*'

export function ruleAllows(rule: PolicyRule, attributes: AccessAttributes): boolean {
  const { verb, group, resource, subresource, name, path } = attributes
  if (!isListed(rule.verbs, verb)) return false
  if (path !== undefined) return matchesPath(rule.nonResourceURLs, path)
  return (
    isListed(rule.apiGroups, group) &&
    matchesResource(rule.resources, resource, subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(name ?? ''))
  )
}

function isListed(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes(value) || values.includes(all))
}

function matchesResource(listed: readonly string[] = [], resource: string, subresource: string | undefined): boolean {
  if (listed.includes(all)) return true
  if (!subresource) return listed.includes(resource)
  return listed.includes(`${resource}/${subresource}`) || listed.includes(`*/${subresource}`)
}

function matchesPath(listed: readonly string[] = [], path: string): boolean {
  return listed.some(
    (pattern) => pattern === path || (pattern.endsWith(all) && path.startsWith(pattern.replace(/\*+$/, ''))),
  )
}
