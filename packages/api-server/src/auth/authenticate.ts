/**
 * Authentication: a chain of authenticators, the first that knows the credentials wins (upstream's union request
 * handler). What no link knows is 401; credentials that are wrong are known to none, so they never make somebody
 * anonymous.
 *
 *   admin socket ─► client certificate ─► bearer token (service account, bootstrap) ─► anonymous, for a few paths
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
    if (user) return user
  }
  throw unauthorized('Unauthorized')
}

/** For a server on plain HTTP, which only tests and tools start: whoever reaches it is its administrator. */
export function loopbackAdmin({ headers }: AuthenticationRequest): UserInfo | undefined {
  return headers.authorization ? undefined : admin
}
