/**
 * Whose token is this? A token is good only while its account, and the pod, secret or node that it is bound to, are the
 * very same objects that it names. Objects that are being deleted lose their tokens a minute after, as upstream has it.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { Nodes, Pods, Secrets, ServiceAccounts } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { TokenVerifier } from './bearer-tokens.ts'
import type { ObjectReader } from './object-reader.ts'
import type { Claims, TokenIssuer } from './token-issuer.ts'
import { serviceAccountUser } from './user.ts'

export function serviceAccountTokens(
  tokens: Pick<TokenIssuer, 'verify'>,
  reader: ObjectReader,
  clock: Pick<Clock, 'now'>,
): TokenVerifier {
  return (token) => {
    const claims = tokens.verify(token)
    if (!claims || !subjectExists(claims['kubernetes.io'], reader, clock.now())) return undefined
    const { namespace, serviceaccount, pod, node } = claims['kubernetes.io']
    const user = serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid)
    const extra = {
      'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
      ...(node ? { 'authentication.kubernetes.io/node-name': [node.name] } : {}),
      ...(node ? { 'authentication.kubernetes.io/node-uid': [node.uid] } : {}),
      ...(pod ? { 'authentication.kubernetes.io/pod-name': [pod.name] } : {}),
      ...(pod ? { 'authentication.kubernetes.io/pod-uid': [pod.uid] } : {}),
    }
    return { user: { ...user, extra }, audiences: claims.aud }
  }
}

const leewayMs = 60_000

function subjectExists(
  { namespace, serviceaccount, pod, secret, node }: Claims['kubernetes.io'],
  reader: ObjectReader,
  now: number,
): boolean {
  const isSame = (object: KubernetesObject | undefined, uid: string) =>
    object?.metadata.uid === uid && !isDeletedFor(leewayMs, object, now)
  if (!isSame(reader.get(ServiceAccounts, namespace, serviceaccount.name), serviceaccount.uid)) return false
  if (pod && !isSame(reader.get(Pods, namespace, pod.name), pod.uid)) return false
  if (secret && !isSame(reader.get(Secrets, namespace, secret.name), secret.uid)) return false
  // A pod's token names the pod's node, too; that alone binds it to the node only if it is bound to nothing else.
  return !node || pod !== undefined || isSame(reader.get(Nodes, undefined, node.name), node.uid)
}

function isDeletedFor(ms: number, { metadata: { deletionTimestamp } }: KubernetesObject, now: number): boolean {
  return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < now - ms
}
