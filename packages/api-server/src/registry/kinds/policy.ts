/**
 * Small kinds that bound what others may do: disruption budgets, priorities, leases.
 */

import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Lease, PodDisruptionBudget, PriorityClass } from '@dinghy/shared/api/types'
import { intOrPercent, isOver100Percent, labelSelector, nonNegative, oneOf, positive, without } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const podDisruptionBudgets: KindRules<PodDisruptionBudget> = {
  strategy: {
    generationOf: ({ spec }) => spec,
    validate({ spec }) {
      const { minAvailable, maxUnavailable } = spec
      const errors: FieldError[] = []
      if (minAvailable !== undefined && maxUnavailable !== undefined) {
        errors.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
      }
      for (const [field, value] of Object.entries({ minAvailable, maxUnavailable })) {
        errors.push(...intOrPercent(`spec.${field}`, value))
        if (isOver100Percent(value)) errors.push(invalid(`spec.${field}`, value, 'must not be greater than 100%'))
      }
      errors.push(...labelSelector('spec.selector', spec.selector))
      const policies = ['AlwaysAllow', 'IfHealthyBudget']
      return [...errors, ...oneOf('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, policies)]
    },
  },
}

const highestUserPriority = 1_000_000_000

export const priorityClasses: KindRules<PriorityClass> = {
  strategy: {
    defaults(priorityClass) {
      priorityClass.preemptionPolicy ??= 'PreemptLowerPriority'
    },
    generationOf: (priorityClass) => without(priorityClass, 'metadata'),
    validate({ metadata, value, preemptionPolicy }) {
      const errors: FieldError[] = []
      const isSystem = metadata.name?.startsWith('system-') ?? false
      if (isSystem && !systemPriorities.has(metadata.name)) {
        const detail = "priority class names with 'system-' prefix are reserved for system use only"
        errors.push(forbidden('metadata.name', detail))
      } else if (!isSystem && value > highestUserPriority) {
        const detail = `maximum allowed value of a user defined priority is ${highestUserPriority}`
        errors.push(forbidden('value', detail))
      }
      return [...errors, ...oneOf('preemptionPolicy', preemptionPolicy, ['Never', 'PreemptLowerPriority'])]
    },
    validateUpdate: (next, previous) =>
      (['value', 'preemptionPolicy'] as const).flatMap((field) =>
        next[field] === previous[field] ? [] : [forbidden(field, 'may not be changed in an update.')],
      ),
  },
}

const systemPriorities = new Set(['system-cluster-critical', 'system-node-critical'])

export const leases: KindRules<Lease> = {
  strategy: {
    validate: ({ spec }) => [
      ...positive('spec.leaseDurationSeconds', spec?.leaseDurationSeconds),
      ...nonNegative('spec.leaseTransitions', spec?.leaseTransitions),
      ...(spec?.holderIdentity === '' ? [required('spec.holderIdentity', 'must not be empty')] : []),
    ],
    allowCreateOnUpdate: true,
    requiresResourceVersion: true,
  },
}
