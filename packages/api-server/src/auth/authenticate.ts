/**
 * Authentication: a chain of authenticators, the first that knows the credentials wins (upstream's union request
 * handler).
 *
 * Today there are two: bearer tokens of service accounts, which this server signs itself, and the loopback connection
 * without credentials, which is the administrator's. Client certificates or OIDC would be further links of the chain.
 * An administrator may act as somebody else (kubectl --as), as upstream's impersonation filter allows.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { unauthorized } from '@dinghy/shared/api/errors'
import type { UserInfo } from './user.ts'
import { admin } from './user.ts'

/** Undefined: these are not credentials of my kind. Throws Unauthorized if they are, but not valid. */
export type Authenticator = (headers: IncomingHttpHeaders) => UserInfo | undefined

export function authenticate(authenticators: Authenticator[], headers: IncomingHttpHeaders): UserInfo {
  for (const authenticator of authenticators) {
    const user = authenticator(headers)
    if (user) return impersonated(user, headers)
  }
  throw unauthorized('Unauthorized')
}

export function loopbackAdmin(headers: IncomingHttpHeaders): UserInfo | undefined {
  return headers.authorization ? undefined : admin
}

export function bearerTokens(verify: (token: string) => UserInfo | undefined): Authenticator {
  return ({ authorization }) => {
    const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    return token === undefined ? undefined : verify(token)
  }
}

function impersonated(user: UserInfo, headers: IncomingHttpHeaders): UserInfo {
  const username = headers['impersonate-user']
  if (typeof username !== 'string' || !user.groups.includes('system:masters')) return user
  const groups = String(headers['impersonate-group'] ?? '')
    .split(',')
    .map((group) => group.trim())
    .filter(Boolean)
  const uid = headers['impersonate-uid']
  return { username, ...(typeof uid === 'string' ? { uid } : {}), groups: [...groups, 'system:authenticated'] }
}
