/**
 * The audit policy: which requests are written down, and how much of them. A file of upstream's format
 * (audit.k8s.io/v1 Policy); the first rule that matches a request decides, and what no rule matches is not audited.
 *
 * Follows upstream's k8s.io/apiserver/pkg/audit/policy.
 */

import type { AccessAttributes } from '../auth/authorize.ts'

/** Each shows all that the one before it shows. */
export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
export type AuditLevel = (typeof auditLevels)[number]

const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditStage = (typeof auditStages)[number]

export interface AuditPolicy {
  rules: PolicyRule[]
  omitStages?: AuditStage[]
  omitManagedFields?: boolean
}

interface PolicyRule {
  level: AuditLevel
  users?: string[]
  userGroups?: string[]
  verbs?: string[]
  resources?: GroupResources[]
  namespaces?: string[]
  nonResourceURLs?: string[]
  omitStages?: AuditStage[]
  omitManagedFields?: boolean
}

interface GroupResources {
  group?: string
  resources?: string[]
  resourceNames?: string[]
}

/** What the policy says about one request. */
export interface AuditConfig {
  level: AuditLevel
  omitStages: readonly AuditStage[]
  omitManagedFields: boolean
}

/** `user` is undefined for somebody whose credentials are not good. Pure. */
export function evaluatePolicy(
  policy: AuditPolicy,
  attributes: Omit<AccessAttributes, 'user'> & { user: AccessAttributes['user'] | undefined },
): AuditConfig {
  const rule = policy.rules.find((one) => matches(one, attributes))
  return {
    level: rule?.level ?? 'None',
    omitStages: [...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])],
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  }
}

/** Throws TypeError with the first thing that is wrong. Pure. */
export function readPolicy(parsed: unknown): AuditPolicy {
  const { apiVersion, kind, rules, omitStages } = (parsed ?? {}) as Record<string, unknown>
  if (apiVersion !== 'audit.k8s.io/v1' || kind !== 'Policy') {
    throw new TypeError(`is a ${String(apiVersion)} ${String(kind)}, not an audit.k8s.io/v1 Policy`)
  }
  if (!Array.isArray(rules) || rules.length === 0) throw new TypeError('has no rules')
  requireOneOf('omitStages', omitStages, auditStages)
  for (const [index, rule] of (rules as Record<string, unknown>[]).entries()) {
    const at = `rules[${index}]`
    requireOneOf(`${at}.level`, [rule['level']], auditLevels)
    requireOneOf(`${at}.omitStages`, rule['omitStages'], auditStages)
    const isOfResources = isFilled(rule['resources']) || isFilled(rule['namespaces'])
    if (isOfResources && isFilled(rule['nonResourceURLs'])) {
      throw new TypeError(`${at}: rules cannot apply to both regular resources and non-resource URLs`)
    }
  }
  return parsed as AuditPolicy
}

function matches(rule: PolicyRule, attributes: Parameters<typeof evaluatePolicy>[1]): boolean {
  const { user, verb, path } = attributes
  if (rule.users?.length && !(user && rule.users.includes(user.username))) return false
  if (rule.userGroups?.length && !user?.groups.some((group) => rule.userGroups?.includes(group))) return false
  if (rule.verbs?.length && !rule.verbs.includes(verb)) return false
  if (rule.resources?.length || rule.namespaces?.length) return path === undefined && matchesResource(rule, attributes)
  if (!rule.nonResourceURLs?.length) return true
  return path !== undefined && rule.nonResourceURLs.some((pattern) => matchesPath(pattern, path))
}

function matchesPath(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')))
}

function matchesResource(
  { namespaces, resources }: PolicyRule,
  { namespace = '', group, resource, subresource, name = '' }: Parameters<typeof evaluatePolicy>[1],
): boolean {
  if (namespaces?.length && !namespaces.includes(namespace)) return false
  if (!resources?.length) return true
  const whole = subresource ? `${resource}/${subresource}` : resource
  const isMeant = (pattern: string) =>
    pattern === '*' ||
    pattern === whole ||
    (subresource !== undefined && pattern === `*/${subresource}`) ||
    pattern === `${resource}/*`
  return resources.some((one) => {
    if ((one.group ?? '') !== group) return false
    if (!one.resources?.length) return true
    return (!one.resourceNames?.length || one.resourceNames.includes(name)) && one.resources.some(isMeant)
  })
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0
}

function requireOneOf(field: string, values: unknown, known: readonly string[]): void {
  if (values === undefined) return
  if (!Array.isArray(values)) throw new TypeError(`${field}: must be a list`)
  const wrong = values.findIndex((value) => !known.includes(value as string))
  if (wrong < 0) return
  const shown = JSON.stringify(values[wrong]) ?? '""'
  throw new TypeError(`${field}: Unsupported value: ${shown}: supported values: ${known.join(', ')}`)
}
