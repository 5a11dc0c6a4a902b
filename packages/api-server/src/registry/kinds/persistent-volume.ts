/**
 * PersistentVolumes and StorageClasses: the supply side of storage.
 */

import { forbidden, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import type { PersistentVolume, StorageClass } from '@dinghy/shared/api/types'
import type { PersistentVolumeSpec } from 'kubernetes-types/core/v1.js'
import { isDeepStrictEqual } from 'node:util'
import { named, oneOf, requiredText, unchanged, withoutBackSteps } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { knownAccessModes } from './persistent-volume-claim.ts'
import { validateNodeSelector } from './pod-spec/scheduling.ts'

export const persistentVolumes: KindRules<PersistentVolume> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      spec.persistentVolumeReclaimPolicy ||= 'Retain'
      spec.volumeMode ??= 'Filesystem'
      if (spec.hostPath) spec.hostPath.type ??= ''
      if (spec.claimRef) {
        spec.claimRef.kind ??= 'PersistentVolumeClaim'
        spec.claimRef.apiVersion ??= 'v1'
      }
    },
    prepareForCreate(volume) {
      volume.status = { phase: 'Pending', lastPhaseTransitionTime: volume.metadata.creationTimestamp }
    },
    /** The time follows the phase, unless whoever writes the status says another one. */
    prepareForStatusUpdate({ status }, { status: before }, now) {
      if (status.phase === before.phase) status.lastPhaseTransitionTime ??= before.lastPhaseTransitionTime
      else if ((status.lastPhaseTransitionTime ?? before.lastPhaseTransitionTime) === before.lastPhaseTransitionTime) {
        status.lastPhaseTransitionTime = now
      }
    },
    validate: ({ spec }) => validateSpec(spec),
    validateUpdate(next, previous) {
      if (isDeepStrictEqual(sourceOf(next.spec), sourceOf(previous.spec))) return []
      return [forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation\n')]
    },
  },
}

const commonFields = new Set(
  `accessModes capacity claimRef mountOptions nodeAffinity persistentVolumeReclaimPolicy storageClassName
  volumeAttributesClassName volumeMode`.split(/\s+/),
)

/** Whatever is no common field names the kind of volume. */
function sourceOf(spec: PersistentVolumeSpec): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !commonFields.has(key)))
}

function validateSpec(spec: PersistentVolumeSpec): FieldError[] {
  const { accessModes = [], capacity, hostPath, local, nfs, nodeAffinity } = spec
  const errors = accessModes.length === 0 ? [required('spec.accessModes')] : []
  for (const mode of accessModes) {
    if (!knownAccessModes.includes(mode)) errors.push(notSupported('spec.accessModes', mode, knownAccessModes))
  }
  if (!capacity) errors.push(required('spec.capacity'))
  else if (!capacity['storage']) errors.push(notSupported('spec.capacity', capacity, ['storage']))
  const [first, ...others] = Object.keys(sourceOf(spec))
  if (first === undefined) errors.push(required('spec', 'must specify a volume type'))
  for (const source of others) errors.push(forbidden(`spec.${source}`, 'may not specify more than 1 volume type'))
  if (hostPath) {
    errors.push(...requiredText('spec.hostPath.path', hostPath.path))
    errors.push(...withoutBackSteps('spec.hostPath.path', hostPath.path ?? ''))
  }
  if (nfs) errors.push(...requiredText('spec.nfs.server', nfs.server), ...requiredText('spec.nfs.path', nfs.path))
  if (local && !nodeAffinity?.required) {
    errors.push(required('spec.nodeAffinity', 'Local volume requires node affinity'))
  }
  if (nodeAffinity?.required) {
    errors.push(...validateNodeSelector(nodeAffinity.required.nodeSelectorTerms, 'spec.nodeAffinity.required'))
  }
  const policies = ['Delete', 'Recycle', 'Retain']
  errors.push(...oneOf('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, policies))
  return [...errors, ...oneOf('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem'])]
}

export const storageClasses: KindRules<StorageClass> = {
  strategy: {
    defaults(storageClass) {
      storageClass.reclaimPolicy ??= 'Delete'
      storageClass.volumeBindingMode ??= 'Immediate'
    },
    validate: ({ provisioner, reclaimPolicy, volumeBindingMode }) => [
      ...(provisioner
        ? named('provisioner', provisioner, isQualifiedName(provisioner.toLowerCase()))
        : [required('provisioner')]),
      ...oneOf('reclaimPolicy', reclaimPolicy, ['Delete', 'Retain']),
      ...oneOf('volumeBindingMode', volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ],
    validateUpdate: (next, previous) => [
      ...(['parameters', 'provisioner', 'reclaimPolicy'] as const).flatMap((field) =>
        isDeepStrictEqual(next[field], previous[field]) ? [] : [forbidden(field, `updates to ${field} are forbidden.`)],
      ),
      ...unchanged('volumeBindingMode', next.volumeBindingMode, previous.volumeBindingMode),
    ],
  },
}
