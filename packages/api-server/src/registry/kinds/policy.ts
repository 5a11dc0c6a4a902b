/**
 * Small kinds that bound what others may do: disruption budgets, limit ranges, priorities, leases.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { Lease, LimitRange, PodDisruptionBudget, PriorityClass } from '@dinghy/shared/api/types'
import type { LimitRangeItem } from 'kubernetes-types/core/v1.js'
import {
  intOrPercent,
  isOver100Percent,
  labelSelector,
  nonNegative,
  oneOf,
  positive,
  requiredText,
  without,
} from './checks.ts'
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

export const limitRanges: KindRules<LimitRange> = {
  strategy: {
    defaults({ spec }) {
      for (const item of spec?.limits ?? []) defaultLimits(item)
    },
    validate({ spec }) {
      const types = new Set<string>()
      return (spec?.limits ?? []).flatMap((item, i) => {
        const path = `spec.limits[${i}]`
        const errors = types.has(item.type) ? [duplicate(`${path}.type`, item.type)] : []
        types.add(item.type)
        return [...errors, ...validateLimits(item, path)]
      })
    },
    allowCreateOnUpdate: true,
  },
}

/** For containers: who sets only a maximum means it as the default, too; what is not asked for is the default limit. */
function defaultLimits(item: LimitRangeItem): void {
  if (item.type !== 'Container') return
  const limits = { ...item.max, ...item.default }
  const requests = { ...item.min, ...limits, ...item.defaultRequest }
  if (Object.keys(limits).length > 0) item.default = limits
  if (Object.keys(requests).length > 0) item.defaultRequest = requests
}

function validateLimits(item: LimitRangeItem, path: string): FieldError[] {
  const errors = requiredText(`${path}.type`, item.type)
  if (item.type === 'Pod') {
    for (const field of ['default', 'defaultRequest'] as const) {
      if (item[field]) errors.push(forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"))
    }
  }
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const detail = 'either minimum or maximum storage value is required, but neither was provided'
    errors.push(required(`${path}.limits`, detail))
  }
  // Each must not be greater than the next.
  const order = ['min', 'defaultRequest', 'default', 'max'] as const
  const words = { min: 'min', defaultRequest: 'default request', default: 'default', max: 'max' }
  for (const [i, low] of order.entries()) {
    for (const high of order.slice(i + 1)) {
      for (const [resource, amount] of Object.entries(item[low] ?? {})) {
        const bound = ownValue(item[high], resource)
        if (bound === undefined || compareQuantities(amount, bound) <= 0) continue
        const detail = `${words[low]} value ${amount} is greater than ${words[high]} value ${bound}`
        errors.push(invalid(`${path}.${low}[${resource}]`, amount, detail))
      }
    }
  }
  return errors
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
