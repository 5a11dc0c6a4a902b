/**
 * DaemonSets: one pod on every node that fits.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { DaemonSet, DaemonSetSpec } from '@dinghy/shared/api/types'
import { intOrPercent, isOver100Percent, isZero, nonNegative, requiredOneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultPodTemplate } from './pod-spec/defaults.ts'
import { templateWarnings } from './pod-spec/warnings.ts'
import { validateSelector, validateTemplate } from './workload.ts'

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
      ...validateSelector(spec.selector, 'daemonset'),
      ...validateTemplate(spec.template, spec.selector, 'DaemonSet'),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...validateUpdateStrategy(spec),
      ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ],
    validateUpdate: (next, previous) => unchanged('spec.selector', next.spec.selector, previous.spec.selector),
    warnings: (next, previous) => templateWarnings(next, previous, next.spec.template),
  },
}

function validateUpdateStrategy({ updateStrategy = {} }: DaemonSetSpec): FieldError[] {
  const { type, rollingUpdate } = updateStrategy
  const path = 'spec.updateStrategy'
  const errors = requiredOneOf(`${path}.type`, type, ['OnDelete', 'RollingUpdate'])
  if (type !== 'RollingUpdate') return errors
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)]
  const { maxUnavailable, maxSurge } = rollingUpdate
  errors.push(...intOrPercent(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable))
  errors.push(...intOrPercent(`${path}.rollingUpdate.maxSurge`, maxSurge))
  const [noneDown, noneUp] = [isZero(maxUnavailable), isZero(maxSurge)]
  if (!noneDown && !noneUp) {
    errors.push(invalid(`${path}.rollingUpdate.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  }
  if (noneDown && noneUp) {
    errors.push(required(`${path}.rollingUpdate.maxUnavailable`, 'cannot be 0 when maxSurge is 0'))
  }
  if (isOver100Percent(maxUnavailable)) {
    errors.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'))
  }
  return errors
}
