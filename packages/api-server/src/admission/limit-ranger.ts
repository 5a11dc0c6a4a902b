/**
 * LimitRanger: a namespace's LimitRanges give containers the requests and limits they did not ask for, and refuse pods,
 * containers and claims that ask for too little, too much, or limits too far above the requests.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { ownValue } from '@dinghy/shared/api/own-value'
import { canonicalQuantity, compareQuantities, quantityToNumber } from '@dinghy/shared/api/quantity'
import { podRequirements } from '@dinghy/shared/api/pod-requirements'
import { LimitRanges } from '@dinghy/shared/api/resources'
import type { Container, LimitRange, PersistentVolumeClaim, Pod, ResourceRequirements } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

type Quantities = Record<string, string>
type Limit = LimitRange['spec']['limits'][number]

export function limitRanger(reader: Reader): AdmissionPlugin {
  const rangesFor = (request: AdmissionRequest, plural: string) =>
    isAbout(request, '', plural) && (request.operation === 'CREATE' || request.operation === 'UPDATE')
      ? reader.list(LimitRanges, request.namespace)
      : []
  return {
    name: 'LimitRanger',
    admit(request) {
      if (request.operation !== 'CREATE') return
      for (const range of rangesFor(request, 'pods')) applyDefaults(request.object as Pod, range)
    },
    validate(request) {
      const pods = request.operation === 'CREATE' ? rangesFor(request, 'pods') : []
      const problems = [
        ...pods.flatMap((range) => podProblems(request.object as Pod, range)),
        ...rangesFor(request, 'persistentvolumeclaims').flatMap((range) =>
          claimProblems(request.object as PersistentVolumeClaim, range),
        ),
      ]
      const [problem, ...others] = problems
      if (problem === undefined) return
      const { group, plural } = request.definition
      const message = others.length === 0 ? problem : `[${problems.join(', ')}]`
      throw forbidden(group, plural, request.name, message)
    },
  }
}

/** Sets what the containers leave open, and notes in an annotation who did it. Changes `pod` in place. */
function applyDefaults(pod: Pod, { spec }: LimitRange): void {
  const limit = limitsOf(spec).find(({ type }) => type === 'Container')
  if (!limit) return
  const notes: string[] = []
  const containers: [string, Container[]][] = [
    ['container', pod.spec.containers],
    ['init container', pod.spec.initContainers ?? []],
  ]
  for (const [what, list] of containers) {
    for (const container of list) {
      const resources = (container.resources ??= {})
      const limits = fill(resources, 'limits', limit.default)
      const requests = fill(resources, 'requests', limit.defaultRequest)
      if (requests.length > 0) notes.push(`${requests.join(', ')} request for ${what} ${container.name}`)
      if (limits.length > 0) notes.push(`${limits.join(', ')} limit for ${what} ${container.name}`)
    }
  }
  if (notes.length === 0) return
  const note = `LimitRanger plugin set: ${notes.join('; ')}`
  pod.metadata.annotations = { ...pod.metadata.annotations, 'kubernetes.io/limit-ranger': note }
}

/** A LimitRange without limits says nothing, and is allowed to. */
function limitsOf({ limits }: Partial<LimitRange['spec']>): Limit[] {
  return limits ?? []
}

function fill(
  resources: ResourceRequirements,
  kind: 'limits' | 'requests',
  defaults: Quantities | undefined,
): string[] {
  const missing = Object.entries(defaults ?? {}).filter(([name]) => ownValue(resources[kind], name) === undefined)
  if (missing.length > 0) resources[kind] = { ...resources[kind], ...Object.fromEntries(missing) }
  return missing.map(([name]) => name).sort()
}

function podProblems(pod: Pod, { spec }: LimitRange): string[] {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  return limitsOf(spec).flatMap((limit) => {
    if (limit.type === 'Container') {
      return containers.flatMap(({ resources }) => requirementProblems(limit, resources ?? {}))
    }
    return limit.type === 'Pod' ? requirementProblems(limit, podRequirements(pod)) : []
  })
}

function claimProblems({ spec }: PersistentVolumeClaim, range: LimitRange): string[] {
  return limitsOf(range.spec)
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap(({ type, min, max }) => {
      const requests = spec.resources?.requests ?? {}
      return requirementProblems(
        { type, ...(min ? { min } : {}), ...(max ? { max } : {}) },
        { requests, limits: requests },
      )
    })
}

function requirementProblems(limit: Limit, { requests = {}, limits = {} }: ResourceRequirements): string[] {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = limit
  const problems: string[] = []
  for (const [name, value] of Object.entries(min)) {
    const allowed = ownValue(limits, name)
    problems.push(...tooLow(type, name, value, ownValue(requests, name), 'request'))
    if (allowed !== undefined) problems.push(...tooLow(type, name, value, allowed, 'limit'))
  }
  for (const [name, value] of Object.entries(max)) {
    const asked = ownValue(requests, name)
    problems.push(...tooHigh(type, name, value, ownValue(limits, name)))
    if (asked !== undefined && compareQuantities(asked, value) > 0) {
      problems.push(`maximum ${name} usage per ${type} is ${value}, but request is ${canonicalQuantity(asked)}`)
    }
  }
  for (const [name, value] of Object.entries(maxLimitRequestRatio)) {
    problems.push(...ratioProblems(type, name, value, ownValue(requests, name), ownValue(limits, name)))
  }
  return problems
}

function tooLow(type: string, name: string, min: string, actual: string | undefined, what: string): string[] {
  if (actual === undefined) return [`minimum ${name} usage per ${type} is ${min}.  No ${what} is specified`]
  if (compareQuantities(actual, min) >= 0) return []
  return [`minimum ${name} usage per ${type} is ${min}, but ${what} is ${canonicalQuantity(actual)}`]
}

function tooHigh(type: string, name: string, max: string, limit: string | undefined): string[] {
  if (limit === undefined) return [`maximum ${name} usage per ${type} is ${max}.  No limit is specified`]
  if (compareQuantities(limit, max) <= 0) return []
  return [`maximum ${name} usage per ${type} is ${max}, but limit is ${canonicalQuantity(limit)}`]
}

function ratioProblems(type: string, name: string, max: string, request?: string, limit?: string): string[] {
  const asked = request === undefined ? 0 : quantityToNumber(request)
  const allowed = limit === undefined ? 0 : quantityToNumber(limit)
  const missing = asked === 0 ? 'request' : allowed === 0 ? 'limit' : undefined
  if (missing) {
    const why = `no ${missing} is specified or ${missing} is 0`
    return [`${name} max limit to request ratio per ${type} is ${max}, but ${why}`]
  }
  const ratio = allowed / asked
  if (ratio <= quantityToNumber(max)) return []
  return [`${name} max limit to request ratio per ${type} is ${max}, but provided ratio is ${ratio.toFixed(6)}`]
}
