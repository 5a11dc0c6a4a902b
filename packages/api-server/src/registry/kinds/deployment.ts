/**
 * Deployments: a rolling update within two bounds, and a selector that never changes.
 */

import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Deployment, DeploymentSpec } from '@dinghy/shared/api/types'
import { intOrPercent, isOver100Percent, isZero, nonNegative, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { nameWarnings, templateWarnings } from './pod-spec/warnings.ts'
import { validateSelector, validateTemplate } from './workload.ts'
import { deploymentCounts, validateStatusCounts } from './workload-status.ts'

export const deployments: KindRules<Deployment> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      defaultPodTemplate(spec.template)
      spec.replicas ??= 1
      spec.revisionHistoryLimit ??= 10
      spec.progressDeadlineSeconds ??= 600
      spec.strategy ??= {}
      spec.strategy.type ||= 'RollingUpdate'
      if (spec.strategy.type === 'RollingUpdate') {
        spec.strategy.rollingUpdate ??= {}
        spec.strategy.rollingUpdate.maxUnavailable ??= '25%'
        spec.strategy.rollingUpdate.maxSurge ??= '25%'
      }
    },
    generationOf: ({ spec, metadata }) => [spec, metadata.annotations],
    validate: ({ spec }) => [
      ...nonNegative('spec.replicas', spec.replicas),
      ...validateSelector(spec.selector, 'deployment'),
      ...validateTemplate(spec.template, spec.selector, 'ReplicaSet'),
      ...validateStrategy(spec),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
      ...validateDeadline(spec),
    ],
    validateUpdate: (next, previous) => unchanged('spec.selector', next.spec.selector, previous.spec.selector),
    validateStatusUpdate: (next, previous) => validateStatusCounts(deploymentCounts, next.status, previous.status),
    warnings: (next, previous) => [
      ...nameWarnings(next.metadata.name, previous),
      ...templateWarnings(next, previous, next.spec.template),
    ],
  },
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: ['spec', 'selector'],
  },
}

function validateStrategy({ strategy = {} }: DeploymentSpec): FieldError[] {
  const { type, rollingUpdate } = strategy
  const path = 'spec.strategy'
  if (type === 'Recreate') {
    const detail = "may not be specified when strategy `type` is 'Recreate'"
    return rollingUpdate ? [forbidden(`${path}.rollingUpdate`, detail)] : []
  }
  if (type !== 'RollingUpdate') return [notSupported(path, strategy, ['Recreate', 'RollingUpdate'])]
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')]
  const errors: FieldError[] = []
  const { maxUnavailable, maxSurge } = rollingUpdate
  errors.push(...intOrPercent(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable))
  errors.push(...intOrPercent(`${path}.rollingUpdate.maxSurge`, maxSurge))
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    const detail = 'may not be 0 when `maxSurge` is 0'
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, detail))
  }
  if (isOver100Percent(maxUnavailable)) {
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'))
  }
  return errors
}

function validateDeadline({ progressDeadlineSeconds: deadline, minReadySeconds = 0 }: DeploymentSpec): FieldError[] {
  const path = 'spec.progressDeadlineSeconds'
  if (deadline === undefined || deadline > minReadySeconds) return nonNegative(path, deadline)
  return [...nonNegative(path, deadline), invalid(path, deadline, 'must be greater than minReadySeconds')]
}
