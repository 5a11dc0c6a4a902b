/**
 * PersistentVolumes: the supply side of storage. What one is made of never changes; who has it does.
 */

import { isDeepStrictEqual } from 'node:util'
import { posix } from 'node:path'
import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain } from '@dinghy/shared/api/names'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { PersistentVolume } from '@dinghy/shared/api/types'
import type { PersistentVolumeSpec, VolumeNodeAffinity } from 'kubernetes-types/core/v1.js'
import { named, oneOf, requiredText, unchanged, without, withoutBackSteps } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { validateAccessModes } from './persistent-volume-claim.ts'
import { termWarnings } from './pod-spec/deprecated-labels.ts'
import { validateNodeSelector } from './pod-spec/scheduling.ts'
import { validateStorageSystem } from './pod-spec/volume-sources.ts'
import { validateHostPath } from './pod-spec/volumes.ts'
import { goneVolumes, shownAs } from './pod-spec/warnings.ts'

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
      // Its gate is closed in 1.33.
      delete (spec as { volumeAttributesClassName?: string }).volumeAttributesClassName
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
    validate: ({ metadata, spec }) => validateSpec(spec, metadata.name),
    validateUpdate: ({ spec: next }, { spec: previous }) => validateUpdate(next, previous),
    warnings,
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

function validateSpec(spec: PersistentVolumeSpec, name: string): FieldError[] {
  const { accessModes = [], capacity = {}, nodeAffinity, persistentVolumeReclaimPolicy: policy } = spec
  const errors = accessModes.length === 0 ? [required('spec.accessModes')] : []
  errors.push(...validateAccessModes(accessModes, 'spec.accessModes'))
  const resources = Object.keys(capacity)
  if (resources.length === 0) errors.push(required('spec.capacity'))
  if (!capacity['storage'] || resources.length > 1) errors.push(notSupported('spec.capacity', capacity, ['storage']))
  for (const [resource, amount] of Object.entries(capacity)) {
    if (compareQuantities(amount, '0') > 0) continue
    errors.push(invalid(`spec.capacity[${resource}]`, amount, 'must be greater than zero'))
  }
  errors.push(...oneOf('spec.persistentVolumeReclaimPolicy', policy, ['Delete', 'Recycle', 'Retain']))
  if (nodeAffinity) errors.push(...validateAffinity(nodeAffinity, 'spec.nodeAffinity'))
  errors.push(...validateSource(spec, name))
  if (spec.hostPath && posix.normalize(spec.hostPath.path ?? '') === '/' && policy === 'Recycle') {
    const detail = "may not be 'recycle' for a hostPath mount of '/'"
    errors.push(forbidden('spec.persistentVolumeReclaimPolicy', detail))
  }
  const storageClass = spec.storageClassName
  if (storageClass) errors.push(...named('spec.storageClassName', storageClass, isDns1123Subdomain(storageClass)))
  return [...errors, ...oneOf('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem'])]
}

function validateAffinity({ required: selector }: VolumeNodeAffinity, path: string): FieldError[] {
  if (!selector) return [required(`${path}.required`, 'must specify required node constraints')]
  return validateNodeSelector(selector.nodeSelectorTerms, `${path}.required`)
}

/** In upstream's order: the first is looked into, the others are one too many. */
const kinds =
  `hostPath gcePersistentDisk awsElasticBlockStore glusterfs flocker nfs rbd quobyte cephfs iscsi cinder fc flexVolume
  azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk scaleIO local storageos csi`.split(
    /\s+/,
  ) as (keyof PersistentVolumeSpec)[]

function validateSource(spec: PersistentVolumeSpec, name: string): FieldError[] {
  const [first, ...others] = kinds.filter((kind) => spec[kind] !== undefined)
  if (first === undefined) return [required('spec', 'must specify a volume type')]
  const path = `spec.${first}`
  const errors =
    first === 'hostPath'
      ? validateHostPath(spec, path)
      : first === 'local'
        ? validateLocal(spec, path)
        : validateStorageSystem(spec, first, name, true, path)
  const shown = (kind: string) => (kind === 'cephfs' ? 'cephFS' : kind)
  return [
    ...errors,
    ...others.map((kind) => forbidden(`spec.${shown(kind)}`, 'may not specify more than 1 volume type')),
  ]
}

/** A directory of one node is of no use elsewhere. */
function validateLocal({ local, nodeAffinity }: PersistentVolumeSpec, path: string): FieldError[] {
  const errors = local?.path ? withoutBackSteps(`${path}.path`, local.path) : requiredText(`${path}.path`, local?.path)
  return nodeAffinity ? errors : [...errors, required('spec.nodeAffinity', 'Local volume requires node affinity')]
}

/** Two of the paths lack their "spec", as upstream's do. */
function validateUpdate(next: PersistentVolumeSpec, previous: PersistentVolumeSpec): FieldError[] {
  const errors: FieldError[] = []
  // A driver that learns to expand needs a Secret for it, which may come later.
  const maySetSecret = previous.csi !== undefined && !previous.csi.controllerExpandSecretRef
  const csi = maySetSecret && next.csi ? without(next.csi, 'controllerExpandSecretRef') : next.csi
  const source = { ...sourceOf(next), ...(csi ? { csi } : {}) }
  if (!isDeepStrictEqual(source, sourceOf(previous))) {
    const detail = 'spec.persistentvolumesource is immutable after creation\n'
    errors.push(forbidden('spec.persistentvolumesource', detail))
  }
  errors.push(...unchanged('volumeMode', next.volumeMode, previous.volumeMode))
  if (!previous.nodeAffinity || isDeepStrictEqual(next.nodeAffinity, withGaLabels(previous, next))) return errors
  const detail = 'field is immutable, except for updating from beta label to GA'
  return [...errors, invalid('nodeAffinity', next.nodeAffinity, detail)]
}

const gaLabels: Record<string, string> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
}

/** The old affinity, with those labels renamed that the new one names by their new name. */
function withGaLabels({ nodeAffinity }: PersistentVolumeSpec, next: PersistentVolumeSpec): VolumeNodeAffinity {
  const leveled = structuredClone(nodeAffinity) as VolumeNodeAffinity
  for (const [i, term] of (leveled.required?.nodeSelectorTerms ?? []).entries()) {
    for (const [j, requirement] of (term.matchExpressions ?? []).entries()) {
      const key = next.nodeAffinity?.required?.nodeSelectorTerms[i]?.matchExpressions?.[j]?.key
      if (key !== undefined && Object.hasOwn(gaLabels, requirement.key) && gaLabels[requirement.key] === key) {
        requirement.key = key
      }
    }
  }
  return leveled
}

const oldAnnotations = {
  'volume.beta.kubernetes.io/storage-class': 'deprecated since v1.8; use "storageClassName" attribute instead',
  'volume.beta.kubernetes.io/mount-options': 'deprecated since v1.31; use "mountOptions" attribute instead',
}

function warnings({ metadata, spec }: PersistentVolume): string[] {
  const { persistentVolumeReclaimPolicy, nodeAffinity } = spec
  const recycles =
    'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.'
  const gone = Object.entries(goneVolumes).filter(([kind]) => kind !== 'flocker' && kind !== 'quobyte')
  return [
    ...Object.entries(oldAnnotations)
      .filter(([key]) => Object.hasOwn(metadata.annotations ?? {}, key))
      .map(([key, words]) => `metadata.annotations[${key}]: ${words}`),
    ...(persistentVolumeReclaimPolicy === 'Recycle' ? [recycles] : []),
    ...(nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      termWarnings(term, false, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`),
    ),
    ...gone
      .filter(([kind]) => Object.hasOwn(spec, kind))
      .map(([kind, words]) => `spec.${shownAs.get(kind) ?? kind}: ${words}`),
  ]
}
