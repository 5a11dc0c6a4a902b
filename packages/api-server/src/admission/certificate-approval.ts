/**
 * Who may approve and who may sign a certificate of which signer: besides the right to write the subresource it takes
 * the right to `approve` or `sign` for the signer, by its name or by "DOMAIN/*". Upstream's plugins CertificateApproval
 * and CertificateSigning.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import { type Authorizer, mayDo } from '../auth/authorize.ts'
import type { UserInfo } from '../auth/user.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'

const group = 'certificates.k8s.io'

export function certificateApproval(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    validate(request) {
      if (!isUpdateOf(request, 'approval')) return
      requireSigner(request, 'approve', authorizer)
    },
  }
}

export function certificateSigning(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    validate(request) {
      if (!isUpdateOf(request, 'status')) return
      const [next, before] = [statusOf(request.object), statusOf(request.previous)]
      const isSame = next.certificate === before.certificate && sameJson(next.conditions, before.conditions)
      if (!isSame) requireSigner(request, 'sign', authorizer)
    },
  }
}

function isUpdateOf({ definition, operation, subresource }: AdmissionRequest, name: string): boolean {
  const isRequest = definition.group === group && definition.plural === 'certificatesigningrequests'
  return isRequest && operation === 'UPDATE' && subresource === name
}

function statusOf(object: AdmissionRequest['object']): CertificateSigningRequest['status'] {
  return (object as Partial<CertificateSigningRequest>).status ?? {}
}

function requireSigner(
  { definition, name, previous, context }: AdmissionRequest,
  verb: string,
  authorizer: Authorizer,
) {
  const { signerName } = (previous as CertificateSigningRequest).spec
  if (mayForSigner(authorizer, context.user, verb, signerName)) return
  const message = `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`
  throw forbidden(definition.group, definition.plural, name, message)
}

function mayForSigner(authorizer: Authorizer, user: UserInfo, verb: string, signerName: string): boolean {
  const names = [signerName, `${signerName.split('/', 1)[0]}/*`]
  return names.some((name) => mayDo(authorizer, user, { verb, group, resource: 'signers', name }))
}
