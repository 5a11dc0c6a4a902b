/**
 * Client certificates: signed by the cluster's authority for client authentication, they name a user (common name) and
 * groups (organizations). OpenSSL has checked signature, usages and time when the connection was made; the time is
 * looked at again for every request, since a connection may outlive the certificate.
 */

import { type PeerCertificate, TLSSocket } from 'node:tls'
import type { Socket } from 'node:net'
import type { Clock } from '@dinghy/shared/api/clock'
import { subjectOf } from '@dinghy/shared/pki/subject'
import type { Authenticator } from './authenticate.ts'
import type { UserInfo } from './user.ts'

interface Shown {
  user: UserInfo
  expiresAt: number
}

export function clientCertificates(clock: Pick<Clock, 'now'>): Authenticator {
  // Reading a certificate costs more than all else that a small request does, so it is done once a connection.
  const shown = new WeakMap<TLSSocket, Shown | 'nobody'>()
  return ({ socket }) => {
    if (!(socket instanceof TLSSocket)) return undefined
    const known = shown.get(socket) ?? readCertificate(socket) ?? 'nobody'
    shown.set(socket, known)
    return known !== 'nobody' && clock.now() < known.expiresAt ? known.user : undefined
  }
}

/** Whether the client has shown a certificate, be it a good one or not. */
export function showsCertificate(socket: Socket): boolean {
  return socket instanceof TLSSocket && isThere(socket.getPeerCertificate())
}

function readCertificate(socket: TLSSocket): Shown | undefined {
  const certificate = socket.getPeerCertificate()
  // Node calls a resumed connection authorized although it has shown nothing.
  if (!socket.authorized || !isThere(certificate)) return undefined
  const subject = subjectOf(certificate.subject)
  if (!subject) return undefined
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  return {
    user: {
      username: subject.user,
      groups: [...subject.groups, 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
    },
    expiresAt: Date.parse(certificate.valid_to),
  }
}

/** Node answers with an empty object for none. */
function isThere(certificate: Partial<PeerCertificate> | null): certificate is PeerCertificate {
  return certificate?.subject !== undefined
}
