/**
 * Client certificates: signed by the cluster's authority for client authentication, they name a user (common name) and
 * groups (organizations).
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { peerOf } from '@dinghy/shared/pki/peer'
import type { Authenticator } from './authenticate.ts'

export function clientCertificates(clock: Pick<Clock, 'now'>): Authenticator {
  return ({ socket }) => {
    const peer = peerOf(socket)
    if (!peer || clock.now() >= peer.expiresAt) return undefined
    return {
      username: peer.subject.user,
      groups: [...peer.subject.groups, 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${peer.fingerprint}`] },
    }
  }
}
