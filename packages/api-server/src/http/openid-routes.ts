/**
 * How others can check this cluster's service account tokens: OpenID discovery and its key set.
 */

import type { TokenIssuer } from '../auth/token-issuer.ts'
import type { PathRoutes } from './path-routes.ts'
import { jsonReply } from './reply.ts'

export function openIdRoutes(tokens: TokenIssuer): PathRoutes {
  const { configuration, keys } = tokens.discovery()
  return {
    '/.well-known/openid-configuration': () => jsonReply(configuration),
    '/openid/v1/jwks': () => ({ ...jsonReply(keys), contentType: 'application/jwk-set+json' }),
  }
}
