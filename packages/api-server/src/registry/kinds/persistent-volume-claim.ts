/**
 * PersistentVolumeClaims: so much storage, to be mounted so. Bound once, and after that only ever bigger.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { PersistentVolumeClaim } from '@dinghy/shared/api/types'
import type { PersistentVolumeClaimSpec } from 'kubernetes-types/core/v1.js'
import { changedBesides, labelSelector, named, oneOf, requiredText, unchanged, without } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { claimWarnings } from './pod-spec/warnings.ts'

const knownAccessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
const classAnnotation = 'volume.beta.kubernetes.io/storage-class'

export const persistentVolumeClaims: KindRules<PersistentVolumeClaim> = {
  strategy: {
    defaults: defaultClaim,
    prepareForCreate(claim) {
      claim.status = { phase: 'Pending' }
      prepareDataSource(claim.spec)
    },
    validate: ({ spec }) => validateClaimSpec(spec, 'spec'),
    validateUpdate,
    warnings: ({ metadata, spec }) => [
      ...(Object.hasOwn(metadata.annotations ?? {}, classAnnotation)
        ? [`metadata.annotations[${classAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`]
        : []),
      ...claimWarnings(spec, 'spec'),
    ],
  },
}

/** The gates of volumeAttributesClassName and of data sources in other namespaces are closed in 1.33. */
export function defaultClaim({ spec }: { spec?: PersistentVolumeClaimSpec }): void {
  if (!spec) return
  spec.volumeMode ??= 'Filesystem'
  delete (spec as { volumeAttributesClassName?: string }).volumeAttributesClassName
  if (spec.dataSourceRef?.namespace) delete spec.dataSourceRef
}

/** The old field of a data source knew two kinds and dropped all others; now both fields say the same. */
function prepareDataSource(spec: PersistentVolumeClaimSpec): void {
  const { dataSource, dataSourceRef } = spec
  if (dataSource && !dataSourceRef) {
    const { apiGroup = '', kind } = dataSource
    const isKnown =
      (kind === 'PersistentVolumeClaim' && apiGroup === '') ||
      (kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io')
    if (isKnown) spec.dataSourceRef = { ...dataSource }
    else delete spec.dataSource
  } else if (dataSourceRef && !dataSource) spec.dataSource = without(dataSourceRef, 'namespace')
}

/** Shared with PersistentVolumes. */
export function validateAccessModes(modes: string[], path: string): FieldError[] {
  const errors = modes
    .filter((mode) => !knownAccessModes.includes(mode))
    .map((mode) => notSupported(path, mode, knownAccessModes))
  const others = modes.filter((mode) => mode !== 'ReadWriteOncePod' && knownAccessModes.includes(mode))
  if (!modes.includes('ReadWriteOncePod') || others.length === 0) return errors
  return [...errors, forbidden(path, 'may not use ReadWriteOncePod with other access modes')]
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const { accessModes = [], resources, storageClassName } = spec
  const errors = accessModes.length === 0 ? [required(`${path}.accessModes`, 'at least 1 access mode is required')] : []
  errors.push(...labelSelector(`${path}.selector`, spec.selector))
  errors.push(...validateAccessModes(accessModes, `${path}.accessModes`))
  const storage = resources?.requests?.['storage']
  if (storage === undefined) errors.push(required(`${path}.resources[storage]`))
  else if (compareQuantities(storage, '0') <= 0) {
    errors.push(invalid(`${path}.resources[storage]`, storage, 'must be greater than zero'))
  }
  if (storageClassName) {
    errors.push(...named(`${path}.storageClassName`, storageClassName, isDns1123Subdomain(storageClassName)))
  }
  errors.push(...oneOf(`${path}.volumeMode`, spec.volumeMode, ['Block', 'Filesystem']))
  return [...errors, ...validateDataSources(spec, path)]
}

function validateDataSources({ dataSource, dataSourceRef }: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const errors = Object.entries({ dataSource, dataSourceRef }).flatMap(([field, source]) => {
    if (!source) return []
    const at = `${path}.${field}`
    const { name, kind, apiGroup } = source
    const { namespace } = source as { namespace?: string }
    const found = [...requiredText(`${at}.name`, name), ...requiredText(`${at}.kind`, kind)]
    if (!apiGroup && kind !== 'PersistentVolumeClaim') {
      found.push(invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
    }
    if (apiGroup) found.push(...named(`${at}.apiGroup`, apiGroup, isDns1123Subdomain(apiGroup)))
    return namespace ? [...found, ...named(`${at}.namespace`, namespace, isDns1123Label(namespace))] : found
  })
  if (!dataSource || !dataSourceRef) return errors
  const isSame = (['apiGroup', 'kind', 'name'] as const).every((field) => dataSource[field] === dataSourceRef[field])
  return isSame ? errors : [...errors, invalid(path, `${path}.dataSource`, 'must match dataSourceRef')]
}

/**
 * The binder sets volumeName once; a claim without a class may still be given one. The storage of a bound claim may
 * grow, and shrink again to no less than there is: a way back from a size that nobody can give.
 */
function validateUpdate(next: PersistentVolumeClaim, previous: PersistentVolumeClaim): FieldError[] {
  const [now, before] = [next.spec, previous.spec]
  const isBound = previous.status?.phase === 'Bound'
  const changeable = isBound ? ['resources'] : []
  if (!before.volumeName) changeable.push('volumeName')
  const old = previous.metadata.annotations?.[classAnnotation]
  const mayTakeClass = before.storageClassName === undefined && (old === undefined || old === now.storageClassName)
  if (mayTakeClass) changeable.push('storageClassName')
  const others = (spec: PersistentVolumeClaimSpec) => ({
    ...spec.resources,
    requests: without(spec.resources?.requests ?? {}, 'storage'),
  })
  const errors: FieldError[] = []
  const annotation = next.metadata.annotations?.[classAnnotation]
  errors.push(...unchanged(`metadata.annotations.${classAnnotation}`, annotation, old))
  const isChanged =
    changedBesides(now, before, changeable) || (isBound && unchanged('', others(now), others(before)).length > 0)
  if (isChanged) {
    const detail =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n'
    errors.push(forbidden('spec', detail))
  }
  const [wanted = '0', had = '0'] = [now.resources?.requests?.['storage'], before.resources?.requests?.['storage']]
  const present = previous.status?.capacity?.['storage'] ?? '0'
  if (compareQuantities(wanted, had) < 0 && compareQuantities(wanted, present) <= 0) {
    errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  }
  return [...errors, ...unchanged('volumeMode', now.volumeMode, before.volumeMode)]
}
