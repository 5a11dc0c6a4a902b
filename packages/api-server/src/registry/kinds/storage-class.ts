/**
 * StorageClasses: a way to make volumes, and the parameters that it is called with. Follows
 * pkg/apis/storage/validation.
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, forbidden, invalid, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import type { StorageClass } from '@dinghy/shared/api/types'
import type { TopologySelectorTerm } from 'kubernetes-types/core/v1.js'
import { named, oneOf, requiredOneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { deprecatedLabel } from './pod-spec/deprecated-labels.ts'

const bindingModes = ['Immediate', 'WaitForFirstConsumer']

export const storageClasses: KindRules<StorageClass> = {
  strategy: {
    defaults(storageClass) {
      storageClass.reclaimPolicy ??= 'Delete'
      storageClass.volumeBindingMode ??= 'Immediate'
    },
    validate: ({ provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies }) => [
      ...(provisioner
        ? named('provisioner', provisioner.toLowerCase(), isQualifiedName(provisioner.toLowerCase()))
        : [required('provisioner')]),
      ...validateParameters(parameters ?? {}, 'parameters'),
      ...(reclaimPolicy ? oneOf('reclaimPolicy', reclaimPolicy, ['Delete', 'Retain']) : []),
      ...requiredOneOf('volumeBindingMode', volumeBindingMode, bindingModes),
      ...validateTopologies(allowedTopologies ?? [], 'allowedTopologies'),
    ],
    validateUpdate: (next, previous) => [
      ...(['parameters', 'provisioner', 'reclaimPolicy'] as const).flatMap((field) =>
        isDeepStrictEqual(next[field], previous[field]) ? [] : [forbidden(field, `updates to ${field} are forbidden.`)],
      ),
      ...unchanged('volumeBindingMode', next.volumeBindingMode, previous.volumeBindingMode),
    ],
    warnings: ({ allowedTopologies = [] }) =>
      allowedTopologies.flatMap(({ matchLabelExpressions = [] }, i) =>
        matchLabelExpressions.flatMap(({ key }, j) => {
          const words = deprecatedLabel(key)
          return words ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${words}`] : []
        }),
      ),
  },
}

const maxParameters = 512
const maxParameterBytes = 256 * 1024

function validateParameters(parameters: Record<string, string>, path: string): FieldError[] {
  const entries = Object.entries(parameters)
  if (entries.length > maxParameters) return [tooLong(path, maxParameters)]
  const errors = Object.hasOwn(parameters, '') ? [invalid(path, '', 'field can not be empty.')] : []
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  return size > maxParameterBytes ? [...errors, tooLong(path, maxParameterBytes)] : errors
}

/** Where volumes may be; no two terms may say the same. */
function validateTopologies(terms: TopologySelectorTerm[], path: string): FieldError[] {
  const said: Map<string, Set<string>>[] = []
  return terms.flatMap(({ matchLabelExpressions = [] }, i) => {
    const at = `${path}[${i}].matchLabelExpressions`
    const errors: FieldError[] = []
    const term = new Map<string, Set<string>>()
    for (const [j, { key, values }] of matchLabelExpressions.entries()) {
      if (!values?.length) errors.push(required(`${at}[${j}].values`))
      for (const [k, value] of (values ?? []).entries()) {
        if (values.indexOf(value) < k) errors.push(duplicate(`${at}[${j}].values[${k}]`, value))
      }
      errors.push(...named(`${at}[${j}].key`, key, isQualifiedName(key ?? '')))
      if (term.has(key)) errors.push(duplicate(`${at}[${j}].key`, key))
      term.set(key, new Set(values))
    }
    if (said.some((other) => isDeepStrictEqual(other, term))) errors.push(duplicate(at, ''))
    said.push(term)
    return errors
  })
}
