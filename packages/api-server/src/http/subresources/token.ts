/**
 * serviceaccounts/token: a signed, expiring proof of being that account, for pods and for `kubectl create token`.
 *
 * Differs from upstream: a token lives as long as its answer says. Upstream lets the tokens of pods live for a year by
 * default (--service-account-extend-token-expiration), for programs that never read their file again.
 */

import { badRequest, conflict, invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { Nodes, Pods, Secrets } from '@dinghy/shared/api/resources'
import type { TokenSubject } from '../../auth/token-issuer.ts'
import type { ResourceDefinition } from '../../registry/resource-definition.ts'
import { decodeRequest } from '../decode-request.ts'
import { admit } from '../admit.ts'
import type { Exchange } from '../exchange.ts'
import type { Reply } from '../reply.ts'
import { jsonReply } from '../reply.ts'
import type { Services } from '../services.ts'
import { namespaceOf, refOf } from '../object-ref.ts'
import { isDryRun } from '../request-options.ts'

interface ObjectReference {
  kind?: string
  apiVersion?: string
  name?: string
  uid?: string
}

interface TokenRequest extends KubernetesObject {
  spec?: {
    audiences?: string[]
    expirationSeconds?: number
    boundObjectRef?: ObjectReference
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
  const sent = await decodeRequest<TokenRequest>(exchange, target, 'CreateOptions')
  const namespace = namespaceOf(exchange)
  const ref = refOf(exchange, definition)
  const { spec = {}, ...request } = await admit(exchange, services, {
    operation: 'CREATE',
    definition,
    kind: target,
    object: sent,
    context: exchange.writeContext(isDryRun(exchange, 'CreateOptions')),
  })
  const account = services.store.get(definition, ref).object
  const wanted = spec.expirationSeconds ?? defaultSeconds
  requireValid(ref.name, wanted)
  const seconds = Math.min(wanted, services.maxTokenSeconds ?? Infinity)
  if (seconds < wanted) {
    exchange.warnings.push(`requested expiration of ${wanted} seconds shortened to ${seconds} seconds`)
  }
  const audiences = spec.audiences?.length ? spec.audiences : services.tokens.defaultAudiences
  const binding = spec.boundObjectRef ? bindingOf(services, ref, spec.boundObjectRef) : {}
  const token = services.tokens.issue({
    namespace,
    name: ref.name,
    uid: account.metadata.uid,
    audiences,
    expirationSeconds: seconds,
    ...binding,
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

/**
 * A token can be bound to a pod, a secret or a node: it dies with it. A pod's token also says on which node the pod
 * runs. Throws if that object is not there as described.
 */
function bindingOf(
  { store, reader, resources }: Services,
  account: { namespace?: string | undefined; name: string },
  reference: ObjectReference,
): Pick<TokenSubject, 'bound' | 'node'> {
  const { kind = '', apiVersion = '', name = '', uid } = reference
  const resource = apiVersion === 'v1' ? boundTo.find((one) => one.kind === kind) : undefined
  if (!resource) throw badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`)
  const definition = resources.definitionOf(resource)
  const namespace = resource.namespaced ? account.namespace : undefined
  const { metadata } = store.get(definition, { namespace, name }).object
  const pod = resource.kind === 'Pod' ? reader.get(Pods, namespace, name) : undefined
  if (pod && pod.spec.serviceAccountName !== account.name) {
    const [asked, actual] = [account.name, pod.spec.serviceAccountName ?? ''].map((one) => JSON.stringify(one))
    throw badRequest(`cannot bind token for serviceaccount ${asked} to pod running with serviceaccount ${actual}`)
  }
  if (uid && uid !== metadata.uid) {
    const message = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
    throw conflict('', kind, name, message)
  }
  const node = pod?.spec.nodeName ? reader.get(Nodes, undefined, pod.spec.nodeName) : undefined
  return {
    bound: { kind: resource.kind as 'Pod' | 'Secret' | 'Node', name, uid: metadata.uid },
    ...(node ? { node: { name: node.metadata.name, uid: node.metadata.uid } } : {}),
  }
}

const boundTo = [Pods, Secrets, Nodes]
