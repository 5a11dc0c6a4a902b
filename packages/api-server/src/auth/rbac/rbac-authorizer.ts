/**
 * Role-based access control: a request is allowed if a rule of a role that is bound to the user, or to one of the
 * user's groups, matches it. Follows plugin/pkg/auth/authorizer/rbac.
 *
 * Roles only ever add, so the order in which they are tried decides no more than the reason that is given.
 */

import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { Authorizer } from '../authorize.ts'
import type { UserInfo } from '../user.ts'
import { ruleAllows } from './policy-rule.ts'
import type { RbacIndex } from './rbac-index.ts'

export function rbacAuthorizer(index: RbacIndex): Authorizer {
  return (attributes) => {
    const problems: string[] = []
    for (const found of index.grantsOf(attributes.user, attributes.path === undefined ? attributes.namespace : '')) {
      for (const { rules, source } of found.grants) {
        for (const rule of rules) {
          if (ruleAllows(rule, attributes)) return { allowed: true, reason: `RBAC: allowed by ${source}` }
        }
      }
      problems.push(...found.problems)
    }
    return { allowed: false, reason: problems.length > 0 ? `RBAC: ${aggregated(problems)}` : '' }
  }
}

/** All rules that hold for a user: everywhere, and in the namespace. */
export function rulesFor(
  index: RbacIndex,
  user: UserInfo,
  namespace: string | undefined,
): { rules: PolicyRule[]; problem: string } {
  const found = index.grantsOf(user, namespace)
  return {
    rules: found.flatMap(({ grants }) => grants.flatMap(({ rules }) => rules)),
    problem: aggregated(found.flatMap(({ problems }) => problems)),
  }
}

/** Several errors as Go's aggregate prints them. */
export function aggregated(problems: readonly string[]): string {
  return problems.length > 1 ? `[${problems.join(', ')}]` : (problems[0] ?? '')
}
