/**
 * Who asked for a certificate stands in the request itself, so that whoever approves it knows; what the client claims
 * there is overwritten. Upstream does this in the strategy of the kind; here those know nothing of users.
 */

import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

export function certificateRequester(): AdmissionPlugin {
  return {
    name: 'CertificateRequester',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, 'certificates.k8s.io', 'certificatesigningrequests'))
        return
      const { spec } = request.object as Partial<CertificateSigningRequest>
      if (!spec) return
      const { username, uid, groups, extra } = request.context.user
      delete spec.uid
      delete spec.extra
      Object.assign(spec, { username, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) })
    },
  }
}
