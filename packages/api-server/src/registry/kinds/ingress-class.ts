/**
 * IngressClasses: which controller an Ingress is for, and an object that configures it.
 */

import { forbidden, notSupported, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isPathSegmentName } from '@dinghy/shared/api/names'
import type { IngressClass } from '@dinghy/shared/api/types'
import type { IngressClassParametersReference } from 'kubernetes-types/networking/v1.js'
import { domainPrefixedPath, named, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

const maxControllerBytes = 250
const scopes = ['Cluster', 'Namespace']

export const ingressClasses: KindRules<IngressClass> = {
  strategy: {
    defaults({ spec }) {
      if (spec?.parameters) spec.parameters.scope ??= 'Cluster'
    },
    generationOf: ({ spec }) => spec,
    validate({ spec }) {
      const { controller = '', parameters } = spec ?? {}
      const errors =
        Buffer.byteLength(controller) > maxControllerBytes ? [tooLong('spec.controller', maxControllerBytes)] : []
      errors.push(...domainPrefixedPath('spec.controller', controller))
      return parameters ? [...errors, ...validateParameters(parameters, 'spec.parameters')] : errors
    },
    validateUpdate: (next, previous) => unchanged('spec.controller', next.spec?.controller, previous.spec?.controller),
  },
}

function validateParameters(parameters: IngressClassParametersReference, path: string): FieldError[] {
  const { scope = '', namespace } = parameters
  const errors = validateTypedReference(parameters, path)
  const at = `${path}.namespace`
  if (!scopes.includes(scope)) return [...errors, notSupported(`${path}.scope`, scope, scopes)]
  if (scope === 'Cluster') {
    return namespace === undefined ? errors : [...errors, forbidden(at, "`parameters.scope` is set to 'Cluster'")]
  }
  if (namespace === undefined) return [...errors, required(at, "`parameters.scope` is set to 'Namespace'")]
  return [...errors, ...named(at, namespace, isDns1123Label(namespace))]
}

/** Shared with the resource backends of Ingresses. */
export function validateTypedReference(
  { apiGroup, kind, name }: { apiGroup?: string; kind: string; name: string },
  path: string,
): FieldError[] {
  const errors = apiGroup ? named(`${path}.apiGroup`, apiGroup, isDns1123Subdomain(apiGroup)) : []
  for (const [field, text] of Object.entries({ kind, name })) {
    if (text) errors.push(...named(`${path}.${field}`, text, isPathSegmentName(text)))
    else errors.push(required(`${path}.${field}`, `${field} is required`))
  }
  return errors
}
