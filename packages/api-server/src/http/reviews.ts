/**
 * Reviews: questions to the server, sent as objects that come back with their status filled in. Nothing is stored.
 * Those about identity are here, and ask the same authenticators as the pipeline; those about rights are in
 * access-reviews.ts.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { matchingAudiences } from '../auth/bearer-tokens.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { admit } from './admit.ts'
import { decodeRequest } from './decode-request.ts'
import type { Exchange } from './exchange.ts'
import type { Handler } from './handler.ts'
import { negotiate } from './negotiation.ts'
import { encoded } from './reply.ts'
import { encode } from './represent.ts'
import { isDryRun } from './request-options.ts'
import type { Services } from './services.ts'

/** What is asked, and of whom. */
export interface Question<Spec> {
  spec: Partial<Spec>
  definition: ResourceDefinition
  services: Services
  exchange: Exchange
}

/** A handler that fills in the status which `judge` returns. */
export function review<Spec>(judge: (question: Question<Spec>) => object): Handler {
  return async (exchange, definition, services) => {
    // The answer to a question has no columns.
    const format = negotiate(exchange.request.headers.accept, { hasTable: false })
    const sent = await decodeRequest<KubernetesObject & { spec?: Spec }>(exchange, definition, 'CreateOptions')
    const context = exchange.writeContext(isDryRun(exchange, 'CreateOptions'))
    const object = await admit(exchange, services, { operation: 'CREATE', definition, object: sent, context })
    const status = judge({ spec: object.spec ?? {}, definition, services, exchange })
    const metadata = { ...object.metadata, creationTimestamp: rfc3339(services.clock.now()) }
    return encoded(format, encode({ ...object, metadata, status }), 201)
  }
}

interface TokenReviewSpec {
  token?: string
  audiences?: string[]
}

export const tokenReview = review<TokenReviewSpec>(({ spec: { token, audiences }, services }) => {
  if (!token) throw badRequest('token is required for TokenReview in authentication')
  const verified = services.verifyToken(token)
  const wanted = audiences?.length ? audiences : services.tokens.defaultAudiences
  if (!verified) return { user: {}, error: 'invalid bearer token' }
  const matching = matchingAudiences(verified, wanted)
  if (matching.length > 0) return { authenticated: true, user: verified.user, audiences: matching }
  const quoted = (list: string[]) => `[${list.map((audience) => JSON.stringify(audience)).join(' ')}]`
  const ofToken = quoted(verified.audiences ?? [])
  return { user: {}, error: `token audiences ${ofToken} is invalid for the target audiences ${quoted(wanted)}` }
})

export const selfSubjectReview = review(({ exchange }) => ({ userInfo: exchange.user }))
