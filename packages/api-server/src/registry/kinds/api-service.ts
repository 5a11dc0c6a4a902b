/**
 * APIServices: which server answers for a group and version (../../aggregation/). Follows kube-aggregator's
 * pkg/apis/apiregistration/validation.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName } from '@dinghy/shared/api/names'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { named, requiredText } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

interface APIService extends KubernetesObject {
  spec?: {
    group?: string
    version?: string
    groupPriorityMinimum: number
    versionPriority: number
    caBundle?: string
    insecureSkipTLSVerify?: boolean
    service?: { namespace?: string; name?: string; port?: number }
  }
  status?: { conditions?: { status: string }[] }
}

export const apiServices: KindRules<APIService> = {
  strategy: {
    defaults({ spec }) {
      if (spec?.service) spec.service.port ??= 443
    },
    validateName: isPathSegmentName,
    validate: ({ metadata, spec }) => (spec ? [...validateName(metadata.name, spec), ...validateSpec(spec)] : []),
    validateStatusUpdate: ({ status }) =>
      (status?.conditions ?? []).flatMap((condition, i) =>
        conditionStatuses.includes(condition.status)
          ? []
          : [notSupported(`status.conditions[${i}].status`, condition.status, conditionStatuses)],
      ),
    requiresResourceVersion: true,
  },
}

type Spec = NonNullable<APIService['spec']>

const conditionStatuses = ['True', 'False', 'Unknown']

function validateName(name: string, { group = '', version = '' }: Spec): FieldError[] {
  const expected = `${version}.${group}`
  if (name === expected || isPathSegmentName(name).length > 0) return []
  return [invalid('metadata.name', name, `must be \`spec.version+"."+spec.group\`: "${expected}"`)]
}

function validateSpec(spec: Spec): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum, versionPriority, service, caBundle } = spec
  const errors: FieldError[] = []
  if (group === '' && version !== 'v1') {
    errors.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'))
  }
  if (group !== '') errors.push(...named('spec.group', group, isDns1123Subdomain(group)))
  errors.push(...named('spec.version', version, isDns1035Label(version)))
  errors.push(...priority('spec.groupPriorityMinimum', groupPriorityMinimum, 20000))
  errors.push(...priority('spec.versionPriority', versionPriority, 1000))
  const isInsecure = spec.insecureSkipTLSVerify ?? false
  if (!service) {
    if (caBundle) {
      const size = `${Buffer.from(caBundle, 'base64').length} bytes`
      errors.push(invalid('spec.caBundle', size, 'local APIServices may not have a caBundle'))
    }
    if (!isInsecure) return errors
    const detail = 'local APIServices may not have insecureSkipTLSVerify'
    return [...errors, invalid('spec.insecureSkipTLSVerify', true, detail)]
  }
  errors.push(...requiredText('spec.service.namespace', service.namespace))
  errors.push(...requiredText('spec.service.name', service.name))
  if (isInsecure && caBundle) {
    errors.push(invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'))
  }
  return errors
}

function priority(path: string, value: number, max: number): FieldError[] {
  return value > 0 && value <= max ? [] : [invalid(path, value, `must be positive and less than ${max}`)]
}
