/**
 * CertificateSigningRequests: once made they do not change; approval and certificate come through subresources.
 */

import type { FieldError } from '@dinghy/shared/api/field-errors'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import { required } from '@dinghy/shared/api/field-errors'
import { requiredText } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const certificateSigningRequests: KindRules<CertificateSigningRequest> = {
  strategy: {
    prepareForUpdate(next, previous) {
      next.spec = structuredClone(previous.spec)
    },
    validate({ spec }) {
      const errors: FieldError[] = spec.request
        ? []
        : [required('spec.request', 'PEM block type must be CERTIFICATE REQUEST')]
      errors.push(...requiredText('spec.signerName', spec.signerName))
      if (!spec.usages?.length) errors.push(required('spec.usages', 'usages must not be empty'))
      return errors
    },
    subresources: {
      approval: {
        prepareForUpdate(next, previous) {
          next.spec = structuredClone(previous.spec)
          next.status = { ...structuredClone(previous.status), conditions: next.status?.conditions }
        },
      },
    },
  },
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
}
