/**
 * Authorization: may this user do this? For now everybody who reaches the server may do everything, so that a class can
 * start; the reviews (SubjectAccessReview and friends) ask here too, so a real authorizer changes both at once.
 */

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
}

export interface Decision {
  allowed: boolean
  reason: string
}

export type Authorizer = (attributes: AccessAttributes) => Decision

export function alwaysAllow(): Decision {
  return { allowed: true, reason: '' }
}
