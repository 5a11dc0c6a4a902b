/**
 * StatefulSets: pods with names and storage of their own.
 */

import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { ControllerRevision, PodTemplateSpec, StatefulSet, StatefulSetSpec } from '@dinghy/shared/api/types'
import { changedBesides, intOrPercent, nonNegative, oneOf, requiredText, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { nameIsDnsLabel } from './object-meta.ts'
import { defaultClaim } from './persistent-volume-claim.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { claimWarnings, templateWarnings } from './pod-spec/warnings.ts'
import { validateSelector, validateTemplate } from './workload.ts'

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
      ...validateTemplate(withClaims(spec), spec.selector, 'StatefulSet'),
    ],
    validateUpdate,
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

/** Each claim template becomes a volume of that name, which containers may mount. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  if (!template?.spec) return template
  const claims = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata?.name ?? '', emptyDir: {} }))
  const own = (template.spec.volumes ?? []).filter(({ name }) => !claims.some((claim) => claim.name === name))
  return { ...template, spec: { ...template.spec, volumes: [...own, ...claims] } }
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
    errors.push(...oneOf(path, retention[field], ['Delete', 'Retain']))
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
  return [
    ...nonNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition),
    ...intOrPercent(`${path}.rollingUpdate.maxUnavailable`, rollingUpdate?.maxUnavailable),
  ]
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
