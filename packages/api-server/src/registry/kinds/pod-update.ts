/**
 * What may change in a pod that exists: next to nothing. Containers run as they were asked to; whoever wants another
 * pod makes another pod. The other ways of writing – ephemeralcontainers, resize, status – are in pod-subresources.ts.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Affinity, Container, NodeAffinity, Pod, PodSpec, Toleration } from '@dinghy/shared/api/types'
import type { NodeSelectorTerm } from 'kubernetes-types/core/v1.js'
import { without } from './checks.ts'
import { validateAnnotationUpdate } from './pod-spec/annotations.ts'

const changeable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
]

const maxInt32 = 2147483647

export function validatePodUpdate(next: Pod, previous: Pod): FieldError[] {
  const errors = validateAnnotationUpdate(next.metadata.annotations, previous.metadata.annotations, annotationsPath)
  for (const field of ['containers', 'initContainers'] as const) {
    const path = `spec.${field}`
    if ((next.spec[field] ?? []).length !== (previous.spec[field] ?? []).length) {
      return [...errors, forbidden(path, 'pod updates may not add or remove containers')]
    }
    for (const [i, { image }] of (next.spec[field] ?? []).entries()) {
      if (!image) errors.push(required(`${path}[${i}].image`))
    }
  }
  const deadline = validateDeadline(next.spec, previous.spec)
  errors.push(...deadline)
  if (deadline.length > 0 && next.spec.activeDeadlineSeconds !== undefined) return errors
  errors.push(...onlyAddedTolerations(next.spec.tolerations, previous.spec.tolerations))
  errors.push(...onlyRemovedGates(next.spec, previous.spec))
  if (isGated(previous.spec)) errors.push(...onlyNarrowed(next.spec, previous.spec))

  const leveled = levelOut(next.spec, previous.spec)
  if (isDeepStrictEqual(leveled, withoutUndefined(previous.spec))) return errors
  const changes = differences(previous.spec, leveled, 'spec').join('\n')
  const detail = `pod updates may not change fields other than ${changeable.join(',')}\n${changes}\n`
  return [...errors, forbidden('spec', detail)]
}

export const annotationsPath = 'metadata.annotations'

function isGated({ schedulingGates }: PodSpec): boolean {
  return (schedulingGates ?? []).length > 0
}

/** The next spec with all permitted changes taken back, so that any difference left is one too many. */
function levelOut(next: PodSpec, previous: PodSpec): PodSpec {
  const images = (list: Container[] | undefined, old: Container[] | undefined) =>
    list?.map((container, i) => ({ ...container, image: old?.[i]?.image ?? container.image }))
  const grace = next.terminationGracePeriodSeconds
  const wasNegative = (previous.terminationGracePeriodSeconds ?? 0) < 0
  return withoutUndefined({
    ...next,
    containers: images(next.containers, previous.containers) ?? [],
    initContainers: images(next.initContainers, previous.initContainers),
    activeDeadlineSeconds: previous.activeDeadlineSeconds,
    tolerations: previous.tolerations,
    schedulingGates: previous.schedulingGates,
    terminationGracePeriodSeconds: wasNegative && grace === 1 ? previous.terminationGracePeriodSeconds : grace,
    // While gates hold it back, a pod may still be told to look at fewer nodes; what it may not do is told elsewhere.
    ...(isGated(previous)
      ? { nodeSelector: previous.nodeSelector, affinity: levelAffinity(next.affinity, previous.affinity) }
      : {}),
  })
}

function levelAffinity(next: Affinity | undefined, previous: Affinity | undefined): Affinity | undefined {
  const { nodeAffinity } = previous ?? {}
  const leveled = { ...without(next ?? {}, 'nodeAffinity'), ...(nodeAffinity ? { nodeAffinity } : {}) }
  return !previous && Object.keys(leveled).length === 0 ? undefined : leveled
}

function onlyNarrowed(next: PodSpec, previous: PodSpec): FieldError[] {
  const { nodeSelector: now = {} } = next
  const isKept = Object.entries(previous.nodeSelector ?? {}).every(([key, value]) => now[key] === value)
  const detail = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'
  return [
    ...(isKept ? [] : [invalid('spec.nodeSelector', now, detail)]),
    ...onlyNarrowedAffinity(next.affinity?.nodeAffinity, previous.affinity?.nodeAffinity),
  ]
}

/** Terms are alternatives, so that one more would widen the choice; a requirement more of a term narrows it. */
function onlyNarrowedAffinity(next: NodeAffinity | undefined, previous: NodeAffinity | undefined): FieldError[] {
  const termsOf = (affinity: NodeAffinity | undefined) =>
    affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const [now, before] = [termsOf(next), termsOf(previous)]
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms'
  if (before.length === 0) return []
  if (now.length !== before.length) {
    return [invalid(path, now, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed')]
  }
  return now.flatMap((term, i) =>
    hasOnlyAdditions(term, before[i] ?? {})
      ? []
      : [invalid(`${path}[${i}]`, term, 'only additions are allowed (no mutations or deletions)')],
  )
}

/** An empty term matches no node, and must not begin to. */
function hasOnlyAdditions(next: NodeSelectorTerm, previous: NodeSelectorTerm): boolean {
  const fields = ['matchExpressions', 'matchFields'] as const
  if (fields.every((field) => (previous[field] ?? []).length === 0)) {
    return fields.every((field) => (next[field] ?? []).length === 0)
  }
  return fields.every((field) => {
    const before = previous[field] ?? []
    return isDeepStrictEqual((next[field] ?? []).slice(0, before.length), before)
  })
}

function validateDeadline(next: PodSpec, previous: PodSpec): FieldError[] {
  const path = 'spec.activeDeadlineSeconds'
  const [now, before] = [next.activeDeadlineSeconds, previous.activeDeadlineSeconds]
  if (now === undefined) {
    return before === undefined
      ? []
      : [invalid(path, undefined, 'must not update from a positive integer to nil value')]
  }
  if (now < 0 || now > maxInt32) return [invalid(path, now, `must be between 0 and ${maxInt32}, inclusive`)]
  if (before === undefined || now <= before) return []
  return [invalid(path, now, 'must be less than or equal to previous value')]
}

function onlyAddedTolerations(next: Toleration[] = [], previous: Toleration[] = []): FieldError[] {
  const key = (toleration: Toleration) => without(toleration, 'tolerationSeconds')
  const kept = previous.every((old) => next.some((toleration) => isDeepStrictEqual(key(toleration), key(old))))
  return kept
    ? []
    : [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
}

function onlyRemovedGates(next: PodSpec, previous: PodSpec): FieldError[] {
  const before = new Set((previous.schedulingGates ?? []).map(({ name }) => name))
  return (next.schedulingGates ?? []).flatMap(({ name }, i) => {
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`
    return before.has(name) ? [] : [forbidden(`spec.schedulingGates[${i}].name`, detail)]
  })
}

/** Changed leaves, old and new: `- spec.nodeName: "a"`. Upstream prints the same as a diff of Go structs. */
function differences(before: unknown, after: unknown, path: string): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (typeof before === 'object' && typeof after === 'object' && before && after) {
    const [old, now] = [before, after] as [Record<string, unknown>, Record<string, unknown>]
    const keys = new Set([...Object.keys(old), ...Object.keys(now)])
    const step = (key: string) => (Array.isArray(before) ? `${path}[${key}]` : `${path}.${key}`)
    return [...keys].flatMap((key) => differences(old[key], now[key], step(key)))
  }
  const line = (sign: string, value: unknown) =>
    value === undefined ? [] : [`${sign} ${path}: ${JSON.stringify(value)}`]
  return [...line('-', before), ...line('+', after)]
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T
}
