/**
 * LimitRanges: what a pod, container or claim of a namespace takes at least, at most and if it says nothing. Follows
 * ValidateLimitRange of pkg/apis/core/validation.
 */

import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isQualifiedName } from '@dinghy/shared/api/names'
import { ownValue } from '@dinghy/shared/api/own-value'
import { compareQuantities, quantityToNumber } from '@dinghy/shared/api/quantity'
import type { LimitRange } from '@dinghy/shared/api/types'
import type { LimitRangeItem } from 'kubernetes-types/core/v1.js'
import { named } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { containerResourceName, isOvercommitable, resourceName } from './pod-spec/resources.ts'

export const limitRanges: KindRules<LimitRange> = {
  strategy: {
    defaults({ spec }) {
      for (const item of spec?.limits ?? []) defaultLimits(item)
    },
    validate({ spec }) {
      const types = new Set<string>()
      return (spec?.limits ?? []).flatMap((item, i) => {
        const path = `spec.limits[${i}]`
        const errors = validateType(item.type ?? '', `${path}.type`)
        if (types.has(item.type)) errors.push(duplicate(`${path}.type`, item.type))
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
  const isOfPods = item.type === 'Pod'
  const isOfContainers = isOfPods || item.type === 'Container'
  const checkName = isOfContainers ? containerResourceName : resourceName
  const errors = bounds.flatMap((bound) => {
    const names = Object.keys(item[bound] ?? {})
    if (!isOfPods || (bound !== 'default' && bound !== 'defaultRequest')) {
      return names.flatMap((name) => checkName(name, `${path}.${bound}[${name}]`))
    }
    return names.length > 0 ? [forbidden(`${path}.${bound}`, "may not be specified when `type` is 'Pod'")] : []
  })
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const detail = 'either minimum or maximum storage value is required, but neither was provided'
    errors.push(required(`${path}.limits`, detail))
  }
  const resources = new Set(bounds.flatMap((bound) => Object.keys(item[bound] ?? {})))
  return [...errors, ...[...resources].flatMap((resource) => validateAmounts(item, resource, path))]
}

const limitTypes = ['Pod', 'Container', 'PersistentVolumeClaim']

function validateType(type: string, path: string): FieldError[] {
  const errors = named(path, type, isQualifiedName(type))
  if (errors.length > 0 || type.includes('/') || limitTypes.includes(type)) return errors
  return [invalid(path, type, 'must be a standard limit type or fully qualified')]
}

const bounds = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const
type Bound = (typeof bounds)[number]

/** What must not be greater than what; the field and the amount that upstream's error shows, and its words. */
const order = [
  ['min', 'max', 'min', 'min', 'min value', 'max value'],
  ['min', 'defaultRequest', 'defaultRequest', 'defaultRequest', 'min value', 'default request value'],
  ['defaultRequest', 'max', 'defaultRequest', 'defaultRequest', 'default request value', 'max value'],
  ['defaultRequest', 'default', 'defaultRequest', 'defaultRequest', 'default request value', 'default limit value'],
  ['min', 'default', 'default', 'min', 'min value', 'default value'],
  ['default', 'max', 'default', 'max', 'default value', 'max value'],
] as const

function validateAmounts(item: LimitRangeItem, resource: string, path: string): FieldError[] {
  const amountOf = (bound: Bound) => ownValue(item[bound], resource)
  const [min, max, ratio] = [amountOf('min'), amountOf('max'), amountOf('maxLimitRequestRatio')]
  const errors: FieldError[] = []
  for (const [low, high, field, shown, lowWords, highWords] of order) {
    const [least, most] = [amountOf(low), amountOf(high)]
    if (least === undefined || most === undefined || compareQuantities(least, most) <= 0) continue
    const detail = `${lowWords} ${least} is greater than ${highWords} ${most}`
    errors.push(invalid(`${path}.${field}[${resource}]`, amountOf(shown), detail))
  }
  const atRatio = `${path}.maxLimitRequestRatio[${resource}]`
  if (ratio !== undefined && compareQuantities(ratio, 1) < 0) {
    errors.push(invalid(atRatio, ratio, `ratio ${ratio} is less than 1`))
  }
  if (ratio !== undefined && min !== undefined && max !== undefined) {
    const most = quantityToNumber(max) / quantityToNumber(min)
    const detail = `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`
    if (quantityToNumber(ratio) > most) errors.push(invalid(atRatio, ratio, detail))
  }
  const [limit, request] = [amountOf('default'), amountOf('defaultRequest')]
  if (limit === undefined || request === undefined || isOvercommitable(resource)) return errors
  if (compareQuantities(limit, request) === 0) return errors
  const detail = `default value ${limit} must equal to defaultRequest value ${request} in ${resource}`
  return [...errors, invalid(`${path}.defaultRequest[${resource}]`, request, detail)]
}
