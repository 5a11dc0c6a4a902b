/**
 * The certificate that the other end of a connection has shown, for servers that ask clients for one. OpenSSL has
 * checked its signature, its usages and its time when the connection was made; whoever asks later has to look at
 * `expiresAt` again, since a connection may outlive the certificate.
 */

import type { Socket } from 'node:net'
import { type PeerCertificate, TLSSocket } from 'node:tls'
import { type Subject, subjectOf } from './subject.ts'

export interface Peer {
  subject: Subject
  /** SHA-256 of the certificate, in hexadecimal. */
  fingerprint: string
  /** Milliseconds since the epoch. */
  expiresAt: number
}

// Reading a certificate costs more than all else that a small request does, so it is done once a connection.
const known = new WeakMap<TLSSocket, Peer | 'nobody'>()

/** Undefined for a connection without a certificate, with one that is not good, or with one that names nobody. */
export function peerOf(socket: Socket): Peer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const peer = known.get(socket) ?? readPeer(socket) ?? 'nobody'
  known.set(socket, peer)
  return peer === 'nobody' ? undefined : peer
}

/** Whether the client has shown a certificate, be it a good one or not. */
export function showsCertificate(socket: Socket): boolean {
  return socket instanceof TLSSocket && isThere(socket.getPeerCertificate())
}

function readPeer(socket: TLSSocket): Peer | undefined {
  const certificate = socket.getPeerCertificate()
  // Node calls a resumed connection authorized although it has shown nothing.
  if (!socket.authorized || !isThere(certificate)) return undefined
  const subject = subjectOf(certificate.subject)
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  return subject && { subject, fingerprint, expiresAt: Date.parse(certificate.valid_to) }
}

/** Node answers with an empty object for none. */
function isThere(certificate: Partial<PeerCertificate> | null): certificate is PeerCertificate {
  return certificate?.subject !== undefined
}
