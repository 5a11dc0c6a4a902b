/**
 * serviceaccounts/token: a signed, expiring proof of being that account, for pods and for `kubectl create token`.
 */

import { conflict, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { Pods, Secrets } from '@dinghy/shared/api/resources'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { decodeRequest } from '../decode-request.ts'
import type { Exchange } from '../exchange.ts'
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import type { Services } from '../services.ts'
import { namespaceOf, refOf } from '../object-ref.ts'

interface TokenRequest extends KubernetesObject {
  spec?: {
    audiences?: string[]
    expirationSeconds?: number
    boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string }
  }
}

const minSeconds = 600
const maxSeconds = 2 ** 32
const defaultSeconds = 3600

export async function createToken(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const types = services.types
  const target = {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'TokenRequest',
    type: 'authentication.v1.TokenRequest',
    types,
  }
  const { spec = {}, ...request } = await decodeRequest<TokenRequest>(exchange, target, 'CreateOptions')
  const namespace = namespaceOf(exchange)
  const ref = refOf(exchange, definition)
  const account = services.store.get(definition, ref).object
  const seconds = spec.expirationSeconds ?? defaultSeconds
  requireValid(ref.name, seconds)
  const audiences = spec.audiences?.length ? spec.audiences : services.tokens.defaultAudiences
  const bound = spec.boundObjectRef && boundObject(services, namespace, spec.boundObjectRef)
  const token = services.tokens.issue({
    namespace,
    name: ref.name,
    uid: account.metadata.uid,
    audiences,
    expirationSeconds: seconds,
    bound,
  })
  const expirationTimestamp = rfc3339(services.clock.now() + seconds * 1000)
  const metadata = {
    ...request.metadata,
    name: ref.name,
    namespace,
    creationTimestamp: rfc3339(services.clock.now()),
  }
  const answer = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata,
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp },
  }
  return jsonReply(answer, 201)
}

function requireValid(name: string, seconds: number): void {
  const field = 'spec.expirationSeconds'
  const problems = []
  if (seconds < minSeconds)
    problems.push(fieldErrors.invalid(field, seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds > maxSeconds)
    problems.push(fieldErrors.invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds'))
  if (problems.length > 0) throw invalid('authentication.k8s.io', 'TokenRequest', name, problems)
}

/** A token can be bound to a pod or a secret: it dies with it. Throws if that is not there as described. */
function boundObject(
  { store, resources }: Services,
  namespace: string,
  { kind, name = '', uid }: { kind?: string; name?: string; uid?: string },
): { kind: string; name: string; uid: string } {
  const resource = kind === 'Pod' ? Pods : kind === 'Secret' ? Secrets : undefined
  if (!resource) {
    const message = `cannot bind token for serviceaccount to object of type ${kind ?? ''}`
    throw invalid('authentication.k8s.io', 'TokenRequest', '', [
      fieldErrors.invalid('spec.boundObjectRef.kind', kind, message),
    ])
  }
  const definition = resources.definitionOf(resource)
  const { metadata } = store.get(definition, { namespace, name }).object
  if (uid && uid !== metadata.uid) {
    const message = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
    throw conflict('', resource.plural, name, message)
  }
  return { kind: resource.kind, name, uid: metadata.uid }
}
