/**
 * When a request for a certificate may go. Pure; the times are those of upstream's cleaner
 * (pkg/controller/certificates/cleaner): an hour after it was approved, denied or failed, a day if nobody ever decided,
 * at once when the certificate in it has run out.
 */

import { X509Certificate } from 'node:crypto'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'

const hourMs = 3_600_000
const keptMs: Record<string, number> = { Approved: hourMs, Denied: hourMs, Failed: hourMs }
const undecidedMs = 24 * hourMs

/** Milliseconds since the epoch. */
export function goesAt({ metadata, status }: CertificateSigningRequest): number {
  const { conditions = [], certificate } = status
  const decided = conditions.flatMap(({ type, lastUpdateTime, lastTransitionTime }) => {
    const kept = keptMs[type]
    const since = lastUpdateTime ?? lastTransitionTime ?? metadata.creationTimestamp
    return kept === undefined ? [] : [Date.parse(since) + kept]
  })
  const undecided = decided.length === 0 ? [Date.parse(metadata.creationTimestamp) + undecidedMs] : []
  return Math.min(...decided, ...undecided, ...(certificate ? endsAt(certificate) : []))
}

/** Nothing for what is no certificate. */
function endsAt(base64: string): number[] {
  try {
    return [Date.parse(new X509Certificate(Buffer.from(base64, 'base64')).validTo)]
  } catch (error) {
    if (error instanceof Error && 'code' in error) return [] // OpenSSL cannot read it: the other times hold
    throw error
  }
}
