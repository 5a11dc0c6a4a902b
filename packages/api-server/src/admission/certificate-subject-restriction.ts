/**
 * Nobody becomes a superuser by a certificate that somebody approved without reading it: the signer of client
 * certificates takes no request for the group system:masters. Upstream's plugin CertificateSubjectRestriction.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import { readRequest } from '@dinghy/shared/pki/authority'
import { superuserGroup } from '../auth/authorize.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const clientSigner = 'kubernetes.io/kube-apiserver-client'

export function certificateSubjectRestriction(): AdmissionPlugin {
  return {
    name: 'CertificateSubjectRestriction',
    async validate(request) {
      const { operation, definition, name, object } = request
      if (operation !== 'CREATE' || !isAbout(request, 'certificates.k8s.io', 'certificatesigningrequests')) return
      const { spec } = object as CertificateSigningRequest
      if (spec.signerName !== clientSigner) return
      const refused = (message: string) => forbidden(definition.group, definition.plural, name, message)
      const pem = Buffer.from(spec.request, 'base64').toString()
      const { subject } = await readRequest(pem).catch((error: unknown) => {
        if (error instanceof TypeError) throw refused(`failed to parse CSR: ${error.message}`)
        throw error
      })
      if (!subject.groups.includes(superuserGroup)) return
      throw refused(`use of ${clientSigner} signer with ${superuserGroup} group is not allowed`)
    },
  }
}
