/**
 * What has been decided about a request for a certificate, read off its conditions.
 */

import { isConditionTrue } from '@dinghy/shared/api/conditions'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { CertificateSigningRequestCondition } from 'kubernetes-types/certificates/v1.js'

export type Verdict = 'Approved' | 'Denied' | 'Failed'

export function has({ status }: CertificateSigningRequest, verdict: Verdict): boolean {
  return isConditionTrue(status.conditions, verdict)
}

/** The request with one more condition. */
export function withVerdict(
  request: CertificateSigningRequest,
  verdict: Verdict,
  reason: string,
  message: string,
  now: string,
): CertificateSigningRequest {
  const condition: CertificateSigningRequestCondition = {
    type: verdict,
    status: 'True',
    reason,
    message,
    lastUpdateTime: now,
    lastTransitionTime: now,
  }
  return { ...request, status: { ...request.status, conditions: [...(request.status.conditions ?? []), condition] } }
}
