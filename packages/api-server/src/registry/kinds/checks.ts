/**
 * The checks that many kinds share. Each takes a value and its path and returns what is wrong with it, in upstream's
 * words.
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isLabelValue, isPortName, isPortNumber, isQualifiedName } from '@dinghy/shared/api/names'
import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { LabelSelector } from '@dinghy/shared/api/types'

export type IntOrString = number | string

/** The messages of a name check as errors of this field. */
export function named(path: string, value: unknown, messages: string[]): FieldError[] {
  return messages.map((message) => invalid(path, value, message))
}

export function nonNegative(path: string, value: number | undefined): FieldError[] {
  return value !== undefined && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

export function positive(path: string, value: number | undefined): FieldError[] {
  return value !== undefined && value <= 0 ? [invalid(path, value, 'must be greater than 0')] : []
}

export function between(path: string, value: number | undefined, min: number, max: number): FieldError[] {
  if (value === undefined || (value >= min && value <= max)) return []
  return [invalid(path, value, `must be between ${min} and ${max}, inclusive`)]
}

/** An enumeration; absent is fine. */
export function oneOf(path: string, value: string | undefined, valid: readonly string[]): FieldError[] {
  return value === undefined || valid.includes(value) ? [] : [notSupported(path, value, valid)]
}

/** An enumeration that must be given. */
export function requiredOneOf(path: string, value: string | undefined, valid: readonly string[]): FieldError[] {
  return value ? oneOf(path, value, valid) : [required(path)]
}

/** "*" says everything, so nothing may stand beside it; `what` names what the list is of. */
export function notBesideWildcard(path: string, list: readonly string[], what: string): FieldError[] {
  if (list.length < 2 || !list.includes('*')) return []
  return [invalid(path, list, `if '*' is present, must not specify other ${what}`)]
}

/** Conditions of a status: each has a type, and none has another's. */
export function uniqueConditions(path: string, conditions: readonly { type?: string }[] | undefined): FieldError[] {
  const types = (conditions ?? []).map(({ type = '' }) => type)
  return types.flatMap((type, i) => [
    ...(types.indexOf(type) < i ? [duplicate(`${path}[${i}].type`, type)] : []),
    ...requiredText(`${path}[${i}].type`, type, 'must not be empty'),
  ])
}

export function requiredText(path: string, value: string | undefined, detail = ''): FieldError[] {
  return value ? [] : [required(path, detail)]
}

/** `field is immutable`, unless both are equal. */
export function unchanged(path: string, next: unknown, previous: unknown): FieldError[] {
  return isDeepStrictEqual(next, previous) ? [] : [invalid(path, next, 'field is immutable')]
}

export function portNumberOrName(path: string, port: IntOrString | undefined): FieldError[] {
  if (typeof port === 'string') return named(path, port, isPortName(port))
  return named(path, port ?? 0, isPortNumber(port ?? 0))
}

/** 3 or "25%". */
export function intOrPercent(path: string, value: IntOrString | undefined): FieldError[] {
  if (value === undefined) return []
  if (typeof value === 'number') return nonNegative(path, value)
  if (/^[0-9]+%$/.test(value)) return []
  return [
    invalid(
      path,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', '93%', regex used for validation is '[0-9]+%')",
    ),
  ]
}

export function isOver100Percent(value: IntOrString | undefined): boolean {
  return typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100
}

/** A number that is zero, or "0%". */
export function isZero(value: IntOrString | undefined): boolean {
  return value === 0 || (typeof value === 'string' && Number.parseInt(value, 10) === 0)
}

export function nonNegativeQuantity(path: string, value: string): FieldError[] {
  return compareQuantities(value, '0') < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

/** "acme.io/foo" */
export function domainPrefixedPath(path: string, text: string): FieldError[] {
  if (text === '') return [required(path)]
  const slash = text.indexOf('/')
  const [host, rest] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)]
  if (host === '' || rest === '') {
    return [invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  }
  const errors = named(path, host, isDns1123Subdomain(host))
  if (/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest)) return errors
  const detail = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
  return [...errors, invalid(path, rest, detail)]
}

/** 0644 and the like. */
export function fileMode(path: string, mode: number | undefined): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return []
  return [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
}

/** A path below some directory: relative, and never up. */
export function descendingPath(path: string, value: string): FieldError[] {
  const errors = value.startsWith('/') ? [invalid(path, value, 'must be a relative path')] : []
  return [...errors, ...withoutBackSteps(path, value)]
}

export function withoutBackSteps(path: string, value: string): FieldError[] {
  return value.split('/').includes('..') ? [invalid(path, value, "must not contain '..'")] : []
}

export function labelSelector(path: string, selector: LabelSelector | undefined): FieldError[] {
  const errors = labels(`${path}.matchLabels`, selector?.matchLabels)
  for (const [i, { key, operator, values = [] }] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`
    if (operator === 'In' || operator === 'NotIn') {
      const detail = "must be specified when `operator` is 'In' or 'NotIn'"
      if (values.length === 0) errors.push(required(`${at}.values`, detail))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
      if (values.length > 0) errors.push(forbidden(`${at}.values`, detail))
    } else errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    errors.push(...named(`${at}.key`, key, isQualifiedName(key ?? '')))
    for (const [j, value] of values.entries()) errors.push(...named(`${at}.values[${j}]`, value, isLabelValue(value)))
  }
  return errors
}

export function labels(path: string, map: Record<string, string> | undefined): FieldError[] {
  return Object.entries(map ?? {}).flatMap(([key, value]) => [
    ...named(path, key, isQualifiedName(key)),
    ...named(path, value, isLabelValue(value)),
  ])
}

/** A copy that lacks these fields. */
export function without<T extends object, K extends keyof T>(object: T, ...fields: K[]): Omit<T, K> {
  const copy = { ...object }
  for (const field of fields) delete copy[field]
  return copy
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0
}

/** Fields of `next` other than the named ones that differ from `previous`. */
export function changedBesides(next: object, previous: object, changeable: readonly string[]): boolean {
  const fixed = (spec: object) => Object.fromEntries(Object.entries(spec).filter(([key]) => !changeable.includes(key)))
  return !isDeepStrictEqual(fixed(next), fixed(previous))
}
