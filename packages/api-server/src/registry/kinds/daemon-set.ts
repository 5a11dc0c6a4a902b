/**
 * DaemonSets: one pod on every node that fits.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { DaemonSet, DaemonSetSpec } from '@dinghy/shared/api/types'
import { intOrPercent, isOver100Percent, isZero, nonNegative, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { templateWarnings } from './pod-spec/warnings.ts'
import { validateSelector, validateTemplate } from './workload.ts'
import { daemonSetCounts, validateStatusCounts } from './workload-status.ts'

export const daemonSets: KindRules<DaemonSet> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      defaultPodTemplate(spec.template)
      spec.revisionHistoryLimit ??= 10
      spec.updateStrategy ??= {}
      spec.updateStrategy.type ||= 'RollingUpdate'
      if (spec.updateStrategy.type === 'RollingUpdate') {
        spec.updateStrategy.rollingUpdate ??= {}
        spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1
        spec.updateStrategy.rollingUpdate.maxSurge ??= 0
      }
    },
    generationOf: ({ spec }) => spec,
    validate: ({ spec }) => [
      // A missing selector finds nothing, so that all there is to say of it is said with the template.
      ...(spec.selector ? validateSelector(spec.selector, 'daemonset') : []),
      ...validateTemplate(spec.template, spec.selector, 'DaemonSet'),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...validateUpdateStrategy(spec),
      ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ],
    validateUpdate: (next, previous) => unchanged('spec.selector', next.spec.selector, previous.spec.selector),
    validateStatusUpdate: (next, previous) => validateStatusCounts(daemonSetCounts, next.status, previous.status),
    warnings: (next, previous) => templateWarnings(next, previous, next.spec.template),
  },
}

function validateUpdateStrategy({ updateStrategy = {} }: DaemonSetSpec): FieldError[] {
  const { type, rollingUpdate } = updateStrategy
  const path = 'spec.updateStrategy'
  if (type === 'OnDelete') return []
  if (type !== 'RollingUpdate') return [notSupported(path, updateStrategy, ['RollingUpdate', 'OnDelete'])]
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)]
  const { maxUnavailable, maxSurge } = rollingUpdate
  const errors = intOrPercent(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable)
  errors.push(...intOrPercent(`${path}.rollingUpdate.maxSurge`, maxSurge))
  for (const [field, value] of Object.entries({ maxUnavailable, maxSurge })) {
    const detail = 'must not be greater than 100%'
    if (isOver100Percent(value)) errors.push(invalid(`${path}.rollingUpdate.${field}`, value, detail))
  }
  const [noneDown, noneUp] = [isZero(maxUnavailable), isZero(maxSurge)]
  if (!noneDown && !noneUp) {
    errors.push(invalid(`${path}.rollingUpdate.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  }
  if (noneDown && noneUp) {
    errors.push(required(`${path}.rollingUpdate.maxUnavailable`, 'cannot be 0 when maxSurge is 0'))
  }
  return errors
}
