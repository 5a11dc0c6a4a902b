/**
 * Whether a request is what a rule of a webhook or policy is about: operations, groups, versions, resources with
 * subresources, scope, names. Pure. Follows k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules and
 * .../plugin/policy/matching.
 */

import type { AdmissionRequest } from '../../registry/admission.ts'
import type { AdmissionRule } from '../../registry/kinds/admission-rule.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'

/** The definition in whose version the request is to be shown to whoever has these rules; undefined if none matches. */
export function matchRules(
  request: AdmissionRequest,
  rules: readonly AdmissionRule[],
  matchPolicy: string | undefined,
  versions: readonly ResourceDefinition[],
): ResourceDefinition | undefined {
  const requested = request.requested ?? request.definition
  if (rules.some((rule) => matchesRule(request, rule, requested))) return requested
  if (matchPolicy === 'Exact') return undefined
  for (const rule of rules) {
    const equivalent = versions.find((version) => version !== requested && matchesRule(request, rule, version))
    if (equivalent) return equivalent
  }
  return undefined
}

function matchesRule(request: AdmissionRequest, rule: AdmissionRule, version: ResourceDefinition): boolean {
  return (
    matchesScope(rule.scope, version) &&
    includes(rule.operations, request.operation) &&
    includes(rule.apiGroups, version.group) &&
    includes(rule.apiVersions, version.version) &&
    (rule.resources ?? []).some((resource) => matchesResource(resource, version.plural, request.subresource ?? '')) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(request.name))
  )
}

function matchesScope(scope: string | undefined, { namespaced }: ResourceDefinition): boolean {
  return scope === undefined || scope === '*' || (scope === 'Namespaced') === namespaced
}

function includes(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes('*') || list.includes(wanted))
}

/** "pods", "pods/log", "pods/*", "*", which is every resource and no subresource, and "*" with any subresource. */
function matchesResource(pattern: string, resource: string, subresource: string): boolean {
  const slash = pattern.indexOf('/')
  const [ofResource, ofSubresource] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)]
  return (ofResource === '*' || ofResource === resource) && (ofSubresource === '*' || ofSubresource === subresource)
}

const configuration = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

/** A webhook that refuses everything must not refuse to be taken away. */
export function isExempt({ definition: { group, plural } }: AdmissionRequest): boolean {
  return group === 'admissionregistration.k8s.io' && configuration.has(plural)
}
