/**
 * ReplicaSets and their elder, ReplicationControllers: so many pods of one template.
 */

import { required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { ReplicaSet, ReplicationController } from '@dinghy/shared/api/types'
import { nonNegative, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { nameWarnings, templateWarnings } from './pod-spec/warnings.ts'
import { validateSelector, validateTemplate } from './workload.ts'
import { replicaSetCounts, validateStatusCounts } from './workload-status.ts'

const selectableFields: KindRules<ReplicaSet | ReplicationController>['selectableFields'] = {
  'status.replicas': ({ status }) => String(status?.replicas ?? 0),
}

const scale = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
}

export const replicaSets: KindRules<ReplicaSet> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      defaultPodTemplate(spec.template)
      spec.replicas ??= 1
    },
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      ...nonNegative('spec.replicas', spec.replicas),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...validateSelector(spec.selector, 'deployment'), // upstream says "deployment" here, too
      ...validateTemplate(spec.template, spec.selector, 'ReplicaSet'),
    ],
    validateUpdate: (next, previous) => unchanged('spec.selector', next.spec.selector, previous.spec.selector),
    validateStatusUpdate: (next, previous) => validateStatusCounts(replicaSetCounts, next.status, previous.status),
    warnings: (next, previous) => [
      ...nameWarnings(next.metadata.name, previous),
      ...templateWarnings(next, previous, next.spec.template),
    ],
  },
  scale,
  selectableFields,
}

export const replicationControllers: KindRules<ReplicationController> = {
  strategy: {
    defaults({ metadata, spec }) {
      if (!spec) return
      defaultPodTemplate(spec.template)
      spec.replicas ??= 1
      const labels = spec.template?.metadata?.labels
      if (!labels) return
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
    },
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...nonEmptySelector(spec.selector),
      ...nonNegative('spec.replicas', spec.replicas),
      ...validateTemplate(spec.template, { matchLabels: spec.selector ?? {} }, 'ReplicationController'),
    ],
    validateStatusUpdate: (next, previous) => validateStatusCounts(replicaSetCounts, next.status, previous.status),
    warnings: (next, previous) => [
      ...nameWarnings(next.metadata.name, previous),
      ...templateWarnings(next, previous, next.spec.template),
    ],
  },
  scale,
  selectableFields,
}

function nonEmptySelector(selector: Record<string, string> | undefined): FieldError[] {
  return Object.keys(selector ?? {}).length === 0 ? [required('spec.selector')] : []
}
