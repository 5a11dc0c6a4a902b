/**
 * CertificateSigningRequests: once made they do not change; approval and certificate come through subresources.
 * Follows pkg/apis/certificates/validation.
 *
 * Where it differs: the request must be a PEM block of the right type; its signature and the certificate are not
 * looked into.
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isPathSegmentName } from '@dinghy/shared/api/names'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { CertificateSigningRequestCondition } from 'kubernetes-types/certificates/v1.js'
import { oneOf, requiredOneOf, requiredText } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const certificateSigningRequests: KindRules<CertificateSigningRequest> = {
  strategy: {
    validateName: isPathSegmentName,
    prepareForUpdate(next, previous) {
      next.spec = structuredClone(previous.spec)
    },
    validate: ({ spec }) => validateSpec(spec),
    validateStatusUpdate: (next, previous) => [
      ...validateConditions(next),
      ...keepsVerdict(next, previous),
      ...(previous.status?.certificate && next.status?.certificate !== previous.status.certificate
        ? [forbidden('status.certificate', 'updates may not modify existing certificate content')]
        : []),
    ],
    subresources: {
      approval: {
        prepareForUpdate(next, previous) {
          next.spec = structuredClone(previous.spec)
          next.status = { ...structuredClone(previous.status), conditions: next.status?.conditions }
        },
        validateUpdate: (next, previous) => [...validateConditions(next), ...removed(next, previous)],
      },
    },
  },
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
}

const usageNames =
  'any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping'.split(
    ',',
  )
const leastSeconds = 600

function validateSpec(spec: CertificateSigningRequest['spec']): FieldError[] {
  const { request, usages = [], signerName, expirationSeconds: seconds } = spec
  const errors: FieldError[] = []
  if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(Buffer.from(request ?? '', 'base64').toString())) {
    errors.push(invalid('spec.request', request ?? '', 'PEM block type must be CERTIFICATE REQUEST'))
  }
  if (usages.length === 0) errors.push(required('spec.usages'))
  for (const [i, usage] of usages.entries()) {
    errors.push(...oneOf(`spec.usages[${i}]`, usage, usageNames))
    if (usages.indexOf(usage) < i) errors.push(duplicate(`spec.usages[${i}]`, usage))
  }
  errors.push(...validateSignerName(signerName, 'spec.signerName'))
  if (seconds === undefined || seconds >= leastSeconds) return errors
  const detail = 'may not specify a duration less than 600 seconds (10 minutes)'
  return [...errors, invalid('spec.expirationSeconds', seconds, detail)]
}

/** "example.com/signer-name" */
function validateSignerName(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)]
  if (name === 'kubernetes.io/legacy-unknown') {
    return [invalid(path, name, 'the legacy signerName is not allowed via this API version')]
  }
  const [domain = '', rest = '', ...more] = name.split('/')
  if (!name.includes('/') || more.length > 0) {
    const detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
    return [invalid(path, name, detail)]
  }
  const errors = firstFault(domain, isDns1123Label, path)
  if (!domain.includes('.')) {
    errors.push(invalid(path, domain, 'should be a domain with at least two segments separated by dots'))
  }
  return [...errors, ...firstFault(rest, isDns1123Subdomain, path)]
}

function firstFault(segment: string, check: (label: string) => string[], path: string): FieldError[] {
  const label = segment.split('.').find((each) => check(each).length > 0)
  if (label === undefined) return []
  return check(label).map((problem) => invalid(path, segment, `validating label ${JSON.stringify(label)}: ${problem}`))
}

const verdicts = ['Approved', 'Denied']
const finalTypes = [...verdicts, 'Failed']

function validateConditions({ status }: CertificateSigningRequest): FieldError[] {
  const conditions = status?.conditions ?? []
  const types = conditions.map(({ type }) => type)
  return conditions.flatMap((condition, i) => {
    const { type } = condition
    const path = `status.conditions[${i}]`
    const earlier = types.slice(0, i)
    const errors = requiredText(`${path}.type`, type)
    const statuses = finalTypes.includes(type) ? ['True'] : ['False', 'True', 'Unknown']
    errors.push(...requiredOneOf(`${path}.status`, condition.status, statuses))
    if (verdicts.includes(type) && earlier.some((other) => verdicts.includes(other) && other !== type)) {
      errors.push(invalid(`${path}.type`, type, 'Approved and Denied conditions are mutually exclusive'))
    }
    return earlier.includes(type) ? [...errors, duplicate(`${path}.type`, type)] : errors
  })
}

function ofType({ status }: CertificateSigningRequest, type: string): CertificateSigningRequestCondition[] {
  return (status?.conditions ?? []).filter((condition) => condition.type === type)
}

function removed(next: CertificateSigningRequest, previous: CertificateSigningRequest): FieldError[] {
  return finalTypes
    .filter((type) => ofType(next, type).length < ofType(previous, type).length)
    .map((type) => forbidden('status.conditions', `updates may not remove a condition of type "${type}"`))
}

/** Whoever may write the status may not approve: that goes through another subresource, with another permission. */
function keepsVerdict(next: CertificateSigningRequest, previous: CertificateSigningRequest): FieldError[] {
  const errors = removed(next, previous)
  for (const type of verdicts) {
    const [now, before] = [ofType(next, type), ofType(previous, type)]
    if (now.length > before.length) {
      errors.push(forbidden('status.conditions', `updates may not add a condition of type "${type}"`))
    } else if (now.length === before.length && !isDeepStrictEqual(now, before)) {
      errors.push(forbidden('status.conditions', `updates may not modify a condition of type "${type}"`))
    }
  }
  return errors
}
