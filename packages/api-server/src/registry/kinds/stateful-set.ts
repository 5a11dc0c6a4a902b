/**
 * StatefulSets: pods with names and storage of their own.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { ControllerRevision, StatefulSet, StatefulSetSpec } from '@dinghy/shared/api/types'
import { changedBesides, labels, nonNegative, oneOf, requiredText, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { nameIsDnsLabel, validateAnnotations } from './object-meta.ts'
import { defaultClaim } from './persistent-volume-claim.ts'
import { validatePodAnnotations } from './pod-spec/annotations.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { claimWarnings, templateWarnings } from './pod-spec/warnings.ts'
import { templateMatches, validateSelector } from './workload.ts'
import { statefulSetCounts, validateStatusCounts } from './workload-status.ts'

export const statefulSets: KindRules<StatefulSet> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      defaultPodTemplate(spec.template)
      spec.replicas ??= 1
      spec.revisionHistoryLimit ??= 10
      spec.podManagementPolicy ||= 'OrderedReady'
      spec.updateStrategy ??= {}
      spec.updateStrategy.type ||= 'RollingUpdate'
      if (spec.updateStrategy.type === 'RollingUpdate') {
        spec.updateStrategy.rollingUpdate ??= {}
        spec.updateStrategy.rollingUpdate.partition ??= 0
      }
      delete spec.updateStrategy.rollingUpdate?.maxUnavailable // its gate is closed in 1.33
      spec.persistentVolumeClaimRetentionPolicy ??= {}
      spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain'
      spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain'
      for (const claim of spec.volumeClaimTemplates ?? []) {
        claim.apiVersion ??= 'v1'
        claim.kind ??= 'PersistentVolumeClaim'
        defaultClaim(claim)
        Object.assign(claim, { status: { phase: 'Pending' } })
      }
    },
    validateName: nameIsDnsLabel,
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      ...validatePolicies(spec),
      ...nonNegative('spec.replicas', spec.replicas),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
      ...validateSelector(spec.selector, 'statefulset'),
      ...validateTemplate(spec),
    ],
    validateUpdate,
    validateStatusUpdate: (next, previous) => validateStatusCounts(statefulSetCounts, next.status, previous.status),
    warnings: (next, previous) => [
      ...templateWarnings(next, previous, next.spec.template),
      ...(next.spec.volumeClaimTemplates ?? []).flatMap(({ spec }, i) =>
        claimWarnings(spec, `spec.volumeClaimTemplates[${i}]`),
      ),
      ...((next.spec.revisionHistoryLimit ?? 0) < 0 ? [unlimitedHistory] : []),
    ],
  },
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: ['spec', 'selector'],
  },
}

const unlimitedHistory =
  'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended'

/**
 * Little of the template is looked at: in 1.33 a pod spec that nobody could run is refused when its pods are made, and
 * an event of the StatefulSet tells of it. (The volumes of a pod are only whole with the claims.)
 */
function validateTemplate({ template, selector }: StatefulSetSpec): FieldError[] {
  const path = 'spec.template'
  const { metadata = {}, spec } = template ?? {}
  const errors = [
    ...templateMatches(template ?? {}, selector),
    ...labels(`${path}.labels`, metadata.labels),
    ...validateAnnotations(metadata.annotations, `${path}.annotations`),
    ...validatePodAnnotations(metadata.annotations, spec ?? { containers: [] }, `${path}.annotations`),
  ]
  const policy = spec?.restartPolicy ?? ''
  if (policy !== 'Always') errors.push(notSupported(`${path}.spec.restartPolicy`, policy, ['Always']))
  if (spec?.activeDeadlineSeconds === undefined) return errors
  const detail = 'activeDeadlineSeconds in StatefulSet is not Supported'
  return [...errors, forbidden(`${path}.spec.activeDeadlineSeconds`, detail)]
}

function validatePolicies(spec: StatefulSetSpec): FieldError[] {
  const { podManagementPolicy, updateStrategy = {}, persistentVolumeClaimRetentionPolicy: retention = {} } = spec
  const errors = requiredText('spec.podManagementPolicy', podManagementPolicy)
  if (podManagementPolicy && !['OrderedReady', 'Parallel'].includes(podManagementPolicy)) {
    errors.push(invalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"))
  }
  errors.push(...validateUpdateStrategy(updateStrategy))
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const path = `spec.persistentVolumeClaimRetentionPolicy.${field}`
    errors.push(...oneOf(path, retention[field], ['Retain', 'Delete']))
  }
  return errors
}

function validateUpdateStrategy(strategy: NonNullable<StatefulSetSpec['updateStrategy']>): FieldError[] {
  const path = 'spec.updateStrategy'
  const { type, rollingUpdate } = strategy
  if (!type) return [required(path)]
  if (type === 'OnDelete') {
    if (!rollingUpdate) return []
    return [invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")]
  }
  if (type !== 'RollingUpdate') return [invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
  return nonNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition)
}

/** The past of a StatefulSet or DaemonSet: what is written stays written. */
export const controllerRevisions: KindRules<ControllerRevision> = {
  strategy: {
    validate: ({ data, revision }) => [
      ...(data === undefined ? [required('data', 'data is mandatory')] : []),
      ...nonNegative('revision', revision),
    ],
    validateUpdate: (next, previous) => unchanged('data', next.data, previous.data),
  },
}

const changeable =
  'replicas ordinals template updateStrategy revisionHistoryLimit persistentVolumeClaimRetentionPolicy minReadySeconds'.split(
    ' ',
  )

function validateUpdate(next: StatefulSet, previous: StatefulSet): FieldError[] {
  if (!changedBesides(next.spec, previous.spec, changeable)) return []
  const quoted = changeable.map((field) => `'${field}'`)
  const list = `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`
  return [forbidden('spec', `updates to statefulset spec for fields other than ${list} are forbidden`)]
}
