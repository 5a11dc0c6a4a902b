/**
 * What a pod says about where it wants to run: affinity, tolerations, spreading.
 */

import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '@dinghy/shared/api/names'
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '@dinghy/shared/api/types'
import { labelSelector, named, oneOf } from '../checks.ts'

export function validateAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {}
  const errors: FieldError[] = []
  if (nodeAffinity) {
    const at = `${path}.nodeAffinity`
    const hard = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    if (hard)
      errors.push(
        ...validateNodeSelector(hard.nodeSelectorTerms, `${at}.requiredDuringSchedulingIgnoredDuringExecution`),
      )
    for (const [i, term] of (nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const here = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`
      errors.push(
        ...weight(term.weight, here),
        ...validateNodeSelectorTerm(term.preference, `${here}.preference`, false),
      )
    }
  }
  for (const [name, rules] of Object.entries({ podAffinity, podAntiAffinity })) {
    const at = `${path}.${name}`
    for (const [i, term] of (rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      errors.push(...podAffinityTerm(term, `${at}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`))
    }
    for (const [i, term] of (rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const here = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`
      errors.push(...weight(term.weight, here), ...podAffinityTerm(term.podAffinityTerm, `${here}.podAffinityTerm`))
    }
  }
  return errors
}

export function validateNodeSelector(terms: NodeSelectorTerm[] | undefined, path: string): FieldError[] {
  const at = `${path}.nodeSelectorTerms`
  if (!terms?.length) return [required(at, 'must have at least one node selector term')]
  return terms.flatMap((term, i) => validateNodeSelectorTerm(term, `${at}[${i}]`, true))
}

/** A mere preference may name a value that no label can have; upstream only warns of it. */
function validateNodeSelectorTerm(term: NodeSelectorTerm, path: string, checksValues: boolean): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement, i) => {
      const at = `${path}.matchExpressions[${i}]`
      return [...nodeRequirement(requirement, at), ...(checksValues ? labelValues(requirement.values, at) : [])]
    }),
    ...(term.matchFields ?? []).flatMap((requirement, i) => fieldRequirement(requirement, `${path}.matchFields[${i}]`)),
  ]
}

function labelValues(values: string[] | undefined, path: string): FieldError[] {
  return (values ?? []).flatMap((value, i) => named(`${path}.values[${i}]`, value, isLabelValue(value)))
}

/** The only field of a node to choose by is its name. */
function fieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (operator !== 'In' && operator !== 'NotIn') {
    errors.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'))
  } else if (values.length !== 1) {
    const detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
    errors.push(required(`${path}.values`, detail))
  }
  if (key !== 'metadata.name') return [...errors, invalid(`${path}.key`, key, 'not a valid field selector key')]
  return [...errors, ...values.flatMap((value, i) => named(`${path}.values[${i}]`, value, isDns1123Subdomain(value)))]
}

function nodeRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const at = `${path}.values`
  const errors: FieldError[] = []
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        errors.push(forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        errors.push(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
      break
    default:
      errors.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'))
  }
  return [...errors, ...named(`${path}.key`, key, isQualifiedName(key ?? ''))]
}

function podAffinityTerm(term: PodAffinityTerm, path: string): FieldError[] {
  const topologyKey = term.topologyKey ?? ''
  return [
    ...labelSelector(`${path}.labelSelector`, term.labelSelector),
    ...labelSelector(`${path}.namespaceSelector`, term.namespaceSelector),
    ...(term.namespaces ?? []).flatMap((name) => named(`${path}.namespace`, name, isDns1123Label(name))),
    ...labelKeysOfPods(term, path),
    ...(topologyKey === '' ? [required(`${path}.topologyKey`, 'can not be empty')] : []),
    ...named(`${path}.topologyKey`, topologyKey, isQualifiedName(topologyKey)),
  ]
}

/** Keys whose values are the new pod's own, and have become a part of the selector already (label-keys.ts). */
function labelKeysOfPods(term: PodAffinityTerm, path: string): FieldError[] {
  const { labelSelector: selector, matchLabelKeys = [], mismatchLabelKeys = [] } = term
  const errors = Object.entries({ matchLabelKeys, mismatchLabelKeys }).flatMap(([field, keys]) => {
    const at = `${path}.${field}`
    if (keys.length === 0) return []
    if (!selector) return [forbidden(at, withoutSelector)]
    return keys.flatMap((key, i) => named(`${at}[${i}]`, key, isQualifiedName(key)))
  })
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}))
  for (const { key } of selector?.matchExpressions ?? []) {
    const index = matchLabelKeys.lastIndexOf(key)
    // Upstream's path has the index and no field.
    if (index >= 0 && seen.has(key)) errors.push(invalid(`${path}[${index}]`, key, inBoth('labelSelector')))
    seen.add(key)
  }
  for (const [i, key] of matchLabelKeys.entries()) {
    if (mismatchLabelKeys.includes(key)) {
      errors.push(invalid(`${path}.matchLabelKeys[${i}]`, key, inBoth('mismatchLabelKeys')))
    }
  }
  return errors
}

const withoutSelector = 'must not be specified when labelSelector is not set'

function inBoth(other: string): string {
  return `exists in both matchLabelKeys and ${other}`
}

function weight(value: number | undefined, path: string): FieldError[] {
  const amount = value ?? 0
  return amount >= 1 && amount <= 100 ? [] : [invalid(`${path}.weight`, amount, 'must be in the range 1-100')]
}

export function validateTolerations(tolerations: Toleration[] | undefined, path: string): FieldError[] {
  return (tolerations ?? []).flatMap((toleration, i) => validateToleration(toleration, `${path}[${i}]`))
}

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const { key, operator = '', value = '', effect, tolerationSeconds } = toleration
  const errors = key ? named(`${path}.key`, key, isQualifiedName(key)) : []
  if (!key && operator !== 'Exists') {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    errors.push(invalid(`${path}.operator`, operator, detail))
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(invalid(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  }
  if (operator === 'Equal' || operator === '') {
    const problems = isLabelValue(value)
    if (problems.length > 0) errors.push(invalid(`${path}.operator`, value, problems.join(';')))
  } else if (operator !== 'Exists') errors.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']))
  else if (value !== '') {
    errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  }
  return effect ? [...errors, ...oneOf(`${path}.effect`, effect, taintEffects)] : errors
}

export function validateSpread(constraints: TopologySpreadConstraint[] | undefined, path: string): FieldError[] {
  const pairs = (constraints ?? []).map((each) => `{${each.topologyKey}, ${each.whenUnsatisfiable}}`)
  return (constraints ?? []).flatMap((constraint, i) => {
    const at = `${path}[${i}]`
    const { topologyKey, whenUnsatisfiable, minDomains } = constraint
    const maxSkew = constraint.maxSkew ?? 0
    const errors: FieldError[] = []
    if (maxSkew <= 0) errors.push(invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'))
    if (!topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'))
    const actions = ['DoNotSchedule', 'ScheduleAnyway']
    errors.push(...oneOf(`${at}.whenUnsatisfiable`, whenUnsatisfiable ?? '', actions))
    const pair = pairs[i] ?? ''
    // Told of the earlier of the two.
    if (pairs.includes(pair, i + 1)) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair))
    if (minDomains !== undefined && minDomains <= 0) {
      errors.push(invalid(`${at}.minDomains`, minDomains, 'must be greater than zero'))
    }
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`
      errors.push(invalid(`${at}.minDomains`, minDomains, detail))
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      errors.push(...oneOf(`${at}.${field}`, constraint[field], ['Honor', 'Ignore']))
    }
    errors.push(...labelKeysOfSpread(constraint, `${at}.matchLabelKeys`))
    errors.push(...labelSelector(`${at}.labelSelector`, constraint.labelSelector))
    return errors
  })
}

function labelKeysOfSpread({ labelSelector: selector, ...rest }: TopologySpreadConstraint, path: string): FieldError[] {
  const { matchLabelKeys = [] } = rest
  if (matchLabelKeys.length === 0) return []
  const errors = selector ? [] : [forbidden(path, withoutSelector)]
  const keys = [
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map(({ key }) => key),
  ]
  for (const [i, key] of matchLabelKeys.entries()) {
    errors.push(...named(`${path}[${i}]`, key, isQualifiedName(key)))
    if (keys.includes(key)) errors.push(invalid(`${path}[${i}]`, key, inBoth('labelSelector')))
  }
  return errors
}
