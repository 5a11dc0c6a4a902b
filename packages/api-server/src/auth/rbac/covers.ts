/**
 * Which rules are not covered by other rules: what somebody would give away without having it, and what a role of the
 * cluster's own lacks. Follows component-helpers' auth/rbac/validation (Covers) and its CompactRules.
 *
 * Rules are taken apart into the smallest ones there are (one verb, one resource or path), and each must be covered
 * by a single rule of the owner.
 */

import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'

/** The smallest rules of `wanted` that no rule of `owned` covers. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(takenApart).filter((small) => !owned.some((rule) => covers(rule, small)))
}

function takenApart({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): PolicyRule[] {
  const names = resourceNames?.length ? resourceNames.map((name) => ({ resourceNames: [name] })) : [{}]
  const small: PolicyRule[] = []
  for (const group of apiGroups ?? []) {
    for (const resource of resources ?? []) {
      for (const verb of verbs) {
        for (const name of names) small.push({ verbs: [verb], apiGroups: [group], resources: [resource], ...name })
      }
    }
  }
  for (const path of nonResourceURLs ?? []) {
    for (const verb of verbs) small.push({ verbs: [verb], nonResourceURLs: [path] })
  }
  return small
}

/** Whether a rule allows all that a smallest rule does. */
function covers(rule: PolicyRule, small: PolicyRule): boolean {
  const { resourceNames = [] } = rule
  const hasAll = (owned: readonly string[] = [], wanted: readonly string[] = []) =>
    owned.includes('*') || wanted.every((value) => owned.includes(value))
  return (
    hasAll(rule.verbs, small.verbs) &&
    hasAll(rule.apiGroups, small.apiGroups) &&
    (small.resources ?? []).every((resource) => coversResource(rule.resources, resource)) &&
    (small.nonResourceURLs ?? []).every((path) => coversPath(rule.nonResourceURLs, path)) &&
    (resourceNames.length === 0 || (small.resourceNames?.every((name) => resourceNames.includes(name)) ?? false))
  )
}

function coversResource(owned: readonly string[] = [], resource: string): boolean {
  const subresource = /\/(.*)$/.exec(resource)?.[1]
  return owned.includes('*') || owned.includes(resource) || (!!subresource && owned.includes(`*/${subresource}`))
}

function coversPath(owned: readonly string[] = [], path: string): boolean {
  return owned.some((own) => own === path || (own.endsWith('*') && path.startsWith(own.replace(/\*+$/, ''))))
}

/** Smallest rules that differ in their verb only, joined into one. */
export function compacted(rules: readonly PolicyRule[]): PolicyRule[] {
  const joined = new Map<string, PolicyRule>()
  for (const rule of rules) {
    const { verbs, ...rest } = rule
    const key = rule.nonResourceURLs ? JSON.stringify(rule) : JSON.stringify(rest)
    const known = joined.get(key)
    if (!known) joined.set(key, { ...rule, verbs: [...verbs] })
    else known.verbs.push(...verbs.filter((verb) => !known.verbs.includes(verb)))
  }
  return [...joined.values()]
}

/** {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]} */
export function describeRule(rule: PolicyRule): string {
  const parts: [name: string, values: readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ]
  const shown = parts.filter(([, values]) => values?.length)
  return `{${shown.map(([name, values]) => `${name}:${quoted(values ?? [])}`).join(', ')}}`
}

/** A list as Go's %q prints it. */
export function quoted(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
}
