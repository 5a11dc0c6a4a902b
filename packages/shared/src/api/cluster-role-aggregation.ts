/**
 * Aggregated cluster roles: the rules of such a role are those of all roles that its selectors choose. Follows
 * upstream's clusterroleaggregation controller: the chosen roles by name, each rule once, never its own.
 */

import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import { sameJson } from './same-json.ts'
import { labelSelectorFrom, matchesLabels } from './selectors.ts'
import type { ClusterRole } from './types.ts'

/** Undefined if the role is not an aggregated one. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] | undefined {
  if (!role.aggregationRule) return undefined
  const others = all
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const rules: PolicyRule[] = []
  for (const selector of (role.aggregationRule.clusterRoleSelectors ?? []).map(labelSelectorFrom)) {
    for (const other of others.filter(({ metadata }) => matchesLabels(selector, metadata.labels))) {
      for (const rule of other.rules ?? []) if (!rules.some((known) => sameJson(known, rule))) rules.push(rule)
    }
  }
  return rules
}
