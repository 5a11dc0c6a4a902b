/**
 * Whose token is this? A token is good only while its account, and the pod or secret it is bound to, are the very same
 * objects that it names.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import { Pods, Secrets, ServiceAccounts } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Claims, TokenIssuer } from './token-issuer.ts'
import type { UserInfo } from './user.ts'
import { serviceAccountUser } from './user.ts'

/** Where the objects are looked up. */
interface Reader {
  get<T extends KubernetesObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined
}

export interface VerifiedToken {
  user: UserInfo
  audiences: string[]
}

export function verifyServiceAccountToken(
  tokens: TokenIssuer,
  reader: Reader,
  token: string,
): VerifiedToken | undefined {
  const claims = tokens.verify(token)
  if (!claims || !subjectExists(claims, reader)) return undefined
  const { namespace, serviceaccount, pod } = claims['kubernetes.io']
  const user = serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid)
  const extra = {
    'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
    ...(pod
      ? {
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        }
      : {}),
  }
  return { user: { ...user, extra }, audiences: claims.aud }
}

function subjectExists(
  { 'kubernetes.io': { namespace, serviceaccount, pod, secret } }: Claims,
  reader: Reader,
): boolean {
  const account = reader.get(ServiceAccounts, namespace, serviceaccount.name)
  if (account?.metadata.uid !== serviceaccount.uid) return false
  if (pod && reader.get(Pods, namespace, pod.name)?.metadata.uid !== pod.uid) return false
  return !secret || reader.get(Secrets, namespace, secret.name)?.metadata.uid === secret.uid
}
