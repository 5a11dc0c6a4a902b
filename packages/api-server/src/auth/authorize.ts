/**
 * Authorization: may this user do this? The pipeline asks for every request, the reviews (SubjectAccessReview and
 * friends) ask on somebody's behalf, and admission asks where a request needs more than its own verb.
 *
 * An authorizer that knows nothing in favour of a request says no, and the next in the union is asked; none can veto.
 * Decisions are made from memory, without waiting, because every request waits for one.
 */

import type { FieldRequirement, Requirement } from '@dinghy/shared/api/selectors'
import type { UserInfo } from './user.ts'

export interface AccessAttributes {
  user: UserInfo
  verb: string
  group: string
  version: string
  resource: string
  subresource: string | undefined
  namespace: string | undefined
  name: string | undefined
  /** Set, and the resource empty, for paths that are no resources. */
  path: string | undefined
  /** What a list, watch or deletecollection restricts itself to. */
  fieldSelector?: readonly FieldRequirement[]
  labelSelector?: readonly Requirement[]
}

export interface Decision {
  allowed: boolean
  reason: string
}

export type Authorizer = (attributes: AccessAttributes) => Decision

export const superuserGroup = 'system:masters'

export function alwaysAllow(): Decision {
  return { allowed: true, reason: '' }
}

export function alwaysDeny(): Decision {
  return { allowed: false, reason: 'Everything is forbidden.' }
}

/** Members of system:masters may do everything, even if all roles are gone. */
export function allowSuperusers({ user }: AccessAttributes): Decision {
  return { allowed: user.groups.includes(superuserGroup), reason: '' }
}

/** The first that allows it decides; if none does, the reasons of all are told. */
export function union(authorizers: Authorizer[]): Authorizer {
  return (attributes) => {
    const reasons: string[] = []
    for (const authorizer of authorizers) {
      const decision = authorizer(attributes)
      if (decision.allowed) return decision
      if (decision.reason) reasons.push(decision.reason)
    }
    return { allowed: false, reason: reasons.join('\n') }
  }
}

/** Whether a user may do something to a resource that stands for more than it is: "bind", "escalate", "approve", … */
export function mayDo(
  authorizer: Authorizer,
  user: UserInfo,
  what: Pick<AccessAttributes, 'verb' | 'group' | 'resource'> & Partial<AccessAttributes>,
): boolean {
  const nothing = { version: '*', subresource: undefined, namespace: undefined, name: undefined, path: undefined }
  return authorizer({ ...nothing, ...what, user }).allowed
}
