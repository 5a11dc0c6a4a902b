/**
 * What a pod says about where it wants to run: affinity, tolerations, spreading.
 */

import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isLabelValue, isQualifiedName } from '@dinghy/shared/api/names'
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '@dinghy/shared/api/types'
import { labelSelector, named, oneOf, positive, requiredOneOf } from '../checks.ts'

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
      errors.push(...weight(term.weight, here), ...validateNodeSelectorTerm(term.preference, `${here}.preference`))
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
  return terms.flatMap((term, i) => validateNodeSelectorTerm(term, `${at}[${i}]`))
}

function validateNodeSelectorTerm(term: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((r, i) => nodeRequirement(r, `${path}.matchExpressions[${i}]`)),
    ...(term.matchFields ?? []).flatMap(({ key, operator, values }, i) => {
      const at = `${path}.matchFields[${i}]`
      if (values?.length !== 1)
        return [
          required(
            `${at}.values`,
            `must be only one value when \`operator\` is 'In' or 'NotIn' for node field selector`,
          ),
        ]
      if (operator !== 'In' && operator !== 'NotIn')
        return [invalid(`${at}.operator`, operator, 'not a valid selector operator')]
      return key === 'metadata.name' ? [] : [invalid(`${at}.key`, key, 'not a valid field selector key')]
    }),
  ]
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
  const { topologyKey } = term
  return [
    ...labelSelector(`${path}.labelSelector`, term.labelSelector),
    ...labelSelector(`${path}.namespaceSelector`, term.namespaceSelector),
    ...(topologyKey
      ? named(`${path}.topologyKey`, topologyKey, isQualifiedName(topologyKey))
      : [required(`${path}.topologyKey`, 'can not be empty')]),
  ]
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
  if (operator === 'Equal' || operator === '') errors.push(...named(`${path}.operator`, value, isLabelValue(value)))
  else if (operator !== 'Exists') errors.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']))
  else if (value !== '') {
    errors.push(invalid(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'"))
  }
  return [...errors, ...oneOf(`${path}.effect`, effect, taintEffects)]
}

export function validateSpread(constraints: TopologySpreadConstraint[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>()
  return (constraints ?? []).flatMap((constraint, i) => {
    const at = `${path}[${i}]`
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint
    const errors: FieldError[] = []
    if (!maxSkew || maxSkew <= 0) errors.push(invalid(`${at}.maxSkew`, maxSkew ?? 0, 'must be greater than zero'))
    if (!topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'))
    errors.push(...requiredOneOf(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']))
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`
    if (seen.has(pair)) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair))
    seen.add(pair)
    errors.push(...positive(`${at}.minDomains`, minDomains))
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`
      errors.push(invalid(`${at}.minDomains`, minDomains, detail))
    }
    errors.push(...labelSelector(`${at}.labelSelector`, constraint.labelSelector))
    return errors
  })
}
