/**
 * Bearer tokens: found in the Authorization header or, for browsers, which cannot set headers of a WebSocket, in one of
 * the subprotocols that are offered. Each kind of token has a verifier of its own; the first that knows it wins.
 */

import type { IncomingHttpHeaders } from 'node:http'
import type { AuthenticationRequest, Authenticator } from './authenticate.ts'
import type { UserInfo } from './user.ts'

export interface VerifiedToken {
  user: UserInfo
  /** What the token is good for. Undefined: for whatever this server serves. */
  audiences?: string[]
}

export type TokenVerifier = (token: string) => VerifiedToken | undefined

/** `audiences`: the names that this server itself is addressed by. */
export function bearerTokens(verify: TokenVerifier, audiences: readonly string[]): Authenticator {
  return ({ headers }: AuthenticationRequest) => {
    const token = tokenOf(headers)
    const verified = token === undefined ? undefined : verify(token)
    return verified && matchingAudiences(verified, audiences).length > 0 ? verified.user : undefined
  }
}

export function firstVerifier(verifiers: readonly TokenVerifier[]): TokenVerifier {
  return (token) => {
    for (const verify of verifiers) {
      const verified = verify(token)
      if (verified) return verified
    }
    return undefined
  }
}

export function matchingAudiences({ audiences }: VerifiedToken, wanted: readonly string[]): string[] {
  return wanted.filter((audience) => audiences === undefined || audiences.includes(audience))
}

const protocolPrefix = 'base64url.bearer.authorization.k8s.io.'

/** Takes the token out of the subprotocols: what the connection will speak is chosen among the others. */
function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization, upgrade, 'sec-websocket-protocol': offered } = headers
  if (authorization !== undefined) return /^bearer +(\S+)$/i.exec(authorization)?.[1]
  if (upgrade?.toLowerCase() !== 'websocket' || !offered?.includes(protocolPrefix)) return undefined
  const protocols = offered.split(',').map((protocol) => protocol.trim())
  const isToken = (protocol: string) => protocol.startsWith(protocolPrefix)
  headers['sec-websocket-protocol'] = protocols.filter((protocol) => !isToken(protocol)).join(', ')
  const token = protocols.find(isToken)?.slice(protocolPrefix.length) ?? ''
  return Buffer.from(token, 'base64url').toString()
}
