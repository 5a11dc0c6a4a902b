/**
 * Client certificates: signed by the cluster's authority for client authentication, they name a user (common name) and
 * groups (organizations).
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { type Peer, peerOf } from '@dinghy/shared/pki/peer'
import type { Authenticator } from './authenticate.ts'
import type { UserInfo } from './user.ts'

/** A connection has one user for all its requests, by which later stages find what they know of the user. */
export function clientCertificates(clock: Pick<Clock, 'now'>): Authenticator {
  const users = new WeakMap<Peer, UserInfo>()
  return ({ socket }) => {
    const peer = peerOf(socket)
    if (!peer || clock.now() >= peer.expiresAt) return undefined
    const user = users.get(peer) ?? userOf(peer)
    users.set(peer, user)
    return user
  }
}

function userOf({ subject, fingerprint }: Peer): UserInfo {
  return {
    username: subject.user,
    groups: [...subject.groups, 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
  }
}
