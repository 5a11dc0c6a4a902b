/**
 * Authentication: a chain of authenticators, the first that knows the credentials wins (upstream's union request
 * handler). What no link knows is 401; credentials that are wrong are known to none, so they never make somebody
 * anonymous.
 *
 *   admin socket ─► client certificate ─► bearer token (service account, bootstrap) ─► anonymous, for a few paths
 *
 * An administrator may act as somebody else (kubectl --as), as upstream's impersonation filter allows.
 */

import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { unauthorized } from '@dinghy/shared/api/errors'
import type { UserInfo } from './user.ts'
import { admin } from './user.ts'

/** What an authenticator may look at. */
export interface AuthenticationRequest {
  headers: IncomingHttpHeaders
  path: string
  /** What it came by, which may know a client certificate. */
  socket: Socket
}

/** Undefined: these are not credentials of my kind, or they are not valid. */
export type Authenticator = (request: AuthenticationRequest) => UserInfo | undefined

export function authenticate(authenticators: Authenticator[], request: AuthenticationRequest): UserInfo {
  for (const authenticator of authenticators) {
    const user = authenticator(request)
    if (user) return impersonated(user, request.headers)
  }
  throw unauthorized('Unauthorized')
}

/** For a server on plain HTTP, which only tests and tools start: whoever reaches it is its administrator. */
export function loopbackAdmin({ headers }: AuthenticationRequest): UserInfo | undefined {
  return headers.authorization ? undefined : admin
}

/** The second is the group of kubeadm's administrator, and of ours. */
const administrators = new Set(['system:masters', 'kubeadm:cluster-admins'])

function impersonated(user: UserInfo, headers: IncomingHttpHeaders): UserInfo {
  const username = headers['impersonate-user']
  const isAdmin = user.groups.some((group) => administrators.has(group))
  if (typeof username !== 'string' || !isAdmin) return user
  const groups = String(headers['impersonate-group'] ?? '')
    .split(',')
    .map((group) => group.trim())
    .filter(Boolean)
  const uid = headers['impersonate-uid']
  return { username, ...(typeof uid === 'string' ? { uid } : {}), groups: [...groups, 'system:authenticated'] }
}
