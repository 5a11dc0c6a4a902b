/**
 * Reviews: questions to the server about identity and rights, sent as objects that come back with their status filled
 * in. Nothing is stored. They ask the same authenticators and the same authorizer as the pipeline does.
 */

import { badRequest, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { AccessAttributes } from '../auth/authorize.ts'
import { matchingAudiences } from '../auth/bearer-tokens.ts'
import type { UserInfo } from '../auth/user.ts'
import { decodeRequest } from './decode-request.ts'
import type { Exchange } from './exchange.ts'
import type { Handler } from './handler.ts'
import { negotiate } from './negotiation.ts'
import { encoded } from './reply.ts'
import { encode } from './represent.ts'
import type { Services } from './services.ts'

interface Review extends KubernetesObject {
  spec?: ReviewSpec
}

/** A handler that fills in the status which `judge` returns. */
function review(judge: (spec: ReviewSpec, services: Services, exchange: Exchange) => object): Handler {
  return async (exchange, definition, services) => {
    const format = negotiate(exchange.request.headers.accept)
    const object = await decodeRequest<Review>(exchange, definition, 'CreateOptions')
    const status = judge(object.spec ?? {}, services, exchange)
    const metadata = { ...object.metadata, creationTimestamp: rfc3339(services.clock.now()) }
    return encoded(format, encode({ ...object, metadata, status }), 201)
  }
}

interface ResourceAttributes {
  namespace?: string
  verb?: string
  group?: string
  version?: string
  resource?: string
  subresource?: string
  name?: string
}

/** What the specs of all reviews may hold; each kind has its part. */
interface ReviewSpec {
  token?: string
  audiences?: string[]
  namespace?: string
  resourceAttributes?: ResourceAttributes
  nonResourceAttributes?: { path?: string; verb?: string }
  user?: string
  groups?: string[]
  uid?: string
  extra?: Record<string, string[]>
}

export const tokenReview = review(({ token, audiences }, services) => {
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

export const selfSubjectReview = review((_spec, _services, { user }) => ({ userInfo: user }))

export const selfSubjectAccessReview = review((spec, services, { user }) => decide(spec, user, services))

export const subjectAccessReview = review((spec, services) => decide(spec, subjectOf(spec), services))

export const localSubjectAccessReview = review((spec, services, { info }) => {
  const { namespace = '' } = spec.resourceAttributes ?? {}
  if (namespace !== info.namespace) {
    const problem = fieldErrors.invalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace')
    throw invalid('authorization.k8s.io', 'LocalSubjectAccessReview', '', [problem])
  }
  return decide(spec, subjectOf(spec), services)
})

/** What `kubectl auth can-i --list` shows. As long as everything is allowed, this is the whole truth. */
export const selfSubjectRulesReview = review(({ namespace }) => {
  if (!namespace) throw badRequest('no namespace on request')
  return {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    incomplete: false,
  }
})

function decide(spec: ReviewSpec, user: UserInfo, { authorizer }: Services): object {
  const { resourceAttributes, nonResourceAttributes } = spec
  if (Boolean(resourceAttributes) === Boolean(nonResourceAttributes)) {
    const problem = fieldErrors.invalid(
      'spec.resourceAttributes',
      resourceAttributes,
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    )
    throw invalid('authorization.k8s.io', 'SubjectAccessReview', '', [problem])
  }
  const decision = authorizer({
    user,
    ...attributesOf(resourceAttributes ?? {}),
    path: nonResourceAttributes?.path,
    ...(nonResourceAttributes ? { verb: nonResourceAttributes.verb ?? '' } : {}),
  })
  return { allowed: decision.allowed, ...(decision.reason ? { reason: decision.reason } : {}) }
}

function attributesOf(sent: ResourceAttributes): Omit<AccessAttributes, 'user' | 'path'> {
  const { verb = '', group = '', version = '', resource = '', subresource, namespace, name } = sent
  return { verb, group, version, resource, subresource, namespace, name }
}

function subjectOf({ user, groups, uid, extra }: ReviewSpec): UserInfo {
  if (!user && !groups?.length) {
    const problem = fieldErrors.invalid('spec.user', '', 'at least one of user or group must be specified')
    throw invalid('authorization.k8s.io', 'SubjectAccessReview', '', [problem])
  }
  return { username: user ?? '', groups: groups ?? [], ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) }
}
