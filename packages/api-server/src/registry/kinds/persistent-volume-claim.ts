/**
 * PersistentVolumeClaims: so much storage, to be mounted so. Bound once, and after that only ever bigger.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain } from '@dinghy/shared/api/names'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { PersistentVolumeClaim } from '@dinghy/shared/api/types'
import type { PersistentVolumeClaimSpec } from 'kubernetes-types/core/v1.js'
import { changedBesides, labelSelector, named, oneOf } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const knownAccessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

export const persistentVolumeClaims: KindRules<PersistentVolumeClaim> = {
  strategy: {
    defaults: defaultClaim,
    prepareForCreate(claim) {
      claim.status = { phase: 'Pending' }
    },
    validate: ({ spec }) => validateClaimSpec(spec, 'spec'),
    validateUpdate,
  },
}

export function defaultClaim({ spec }: { spec?: PersistentVolumeClaimSpec }): void {
  if (spec) spec.volumeMode ??= 'Filesystem'
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const { accessModes = [], resources, storageClassName } = spec
  const errors = accessModes.length === 0 ? [required(`${path}.accessModes`, 'at least 1 access mode is required')] : []
  for (const mode of accessModes) {
    if (!knownAccessModes.includes(mode)) errors.push(notSupported(`${path}.accessModes`, mode, knownAccessModes))
  }
  if (accessModes.includes('ReadWriteOncePod') && accessModes.length > 1) {
    errors.push(forbidden(`${path}.accessModes`, 'may not use ReadWriteOncePod with other access modes'))
  }
  const storage = resources?.requests?.['storage']
  if (storage === undefined) errors.push(required(`${path}.resources[storage]`))
  else if (compareQuantities(storage, '0') <= 0) {
    errors.push(invalid(`${path}.resources[storage]`, storage, 'must be greater than zero'))
  }
  if (storageClassName) {
    errors.push(...named(`${path}.storageClassName`, storageClassName, isDns1123Subdomain(storageClassName)))
  }
  errors.push(...labelSelector(`${path}.selector`, spec.selector))
  return [...errors, ...oneOf(`${path}.volumeMode`, spec.volumeMode, ['Block', 'Filesystem'])]
}

/** The binder sets volumeName once; a claim without a class may still be given one; storage may grow. */
function validateUpdate(next: PersistentVolumeClaim, previous: PersistentVolumeClaim): FieldError[] {
  const [now, before] = [next.spec, previous.spec]
  const changeable = ['resources', 'volumeAttributesClassName']
  if (!before.volumeName) changeable.push('volumeName')
  if (before.storageClassName === undefined) changeable.push('storageClassName')
  const errors: FieldError[] = []
  if (changedBesides(now, before, changeable)) {
    const detail =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n'
    errors.push(forbidden('spec', detail))
  }
  const [wanted, had] = [now.resources?.requests?.['storage'], before.resources?.requests?.['storage']]
  if (wanted !== undefined && had !== undefined && compareQuantities(wanted, had) < 0) {
    errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  }
  return errors
}
