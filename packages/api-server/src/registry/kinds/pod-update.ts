/**
 * What may change in a pod that exists: next to nothing. Containers run as they were asked to; whoever wants another
 * pod makes another pod. Each way of writing – the pod itself, ephemeralcontainers, resize – opens one small door.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Container, Pod, PodSpec, Toleration } from '@dinghy/shared/api/types'
import { without } from './checks.ts'
import { validateEphemeralContainers } from './pod-spec/containers.ts'
import { validateResources } from './pod-spec/resources.ts'

const changeable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
]

export function validatePodUpdate(next: Pod, previous: Pod): FieldError[] {
  const errors = sameContainers(next.spec, previous.spec)
  if (errors.length > 0) return errors
  errors.push(...deadline(next.spec, previous.spec))
  errors.push(...onlyAddedTolerations(next.spec.tolerations, previous.spec.tolerations))
  errors.push(...onlyRemovedGates(next.spec, previous.spec))
  if (errors.length > 0) return errors

  const leveled = levelOut(next.spec, previous.spec)
  if (!isDeepStrictEqual(leveled, withoutUndefined(previous.spec))) {
    const fields = changeable.join(',')
    const changes = differences(previous.spec, leveled, 'spec').join('\n')
    errors.push(forbidden('spec', `pod updates may not change fields other than ${fields}\n${changes}\n`))
  }
  return errors
}

/** The next spec with all permitted changes taken back, so that any difference left is one too many. */
function levelOut(next: PodSpec, previous: PodSpec): PodSpec {
  const images = (list: Container[] | undefined, old: Container[] | undefined) =>
    list?.map((container, i) => ({ ...container, image: old?.[i]?.image ?? container.image }))
  const grace = next.terminationGracePeriodSeconds
  const wasNegative = (previous.terminationGracePeriodSeconds ?? 0) < 0
  const gated = (previous.schedulingGates ?? []).length > 0
  return withoutUndefined({
    ...next,
    containers: images(next.containers, previous.containers) ?? [],
    initContainers: images(next.initContainers, previous.initContainers),
    activeDeadlineSeconds: previous.activeDeadlineSeconds,
    tolerations: previous.tolerations,
    schedulingGates: previous.schedulingGates,
    terminationGracePeriodSeconds: wasNegative && grace === 1 ? previous.terminationGracePeriodSeconds : grace,
    // While gates hold it back, a pod may still be told to look at fewer nodes.
    nodeSelector:
      gated && includes(next.nodeSelector, previous.nodeSelector) ? previous.nodeSelector : next.nodeSelector,
  })
}

function includes(next: Record<string, string> = {}, previous: Record<string, string> = {}): boolean {
  return Object.entries(previous).every(([key, value]) => next[key] === value)
}

function sameContainers(next: PodSpec, previous: PodSpec): FieldError[] {
  return (['containers', 'initContainers'] as const).flatMap((field) => {
    const [now, before] = [next[field] ?? [], previous[field] ?? []]
    const same = now.length === before.length && now.every((container, i) => container.name === before[i]?.name)
    if (now.length === before.length || same) return []
    return [forbidden(`spec.${field}`, 'pod updates may not add or remove containers')]
  })
}

function deadline(next: PodSpec, previous: PodSpec): FieldError[] {
  const path = 'spec.activeDeadlineSeconds'
  const [now, before] = [next.activeDeadlineSeconds, previous.activeDeadlineSeconds]
  if (before === undefined) return []
  if (now === undefined) return [invalid(path, undefined, 'must not update from a positive integer to nil value')]
  return now > before ? [invalid(path, now, 'must be less than or equal to previous value')] : []
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
  return (next.schedulingGates ?? [])
    .filter(({ name }) => !before.has(name))
    .map(({ name }) =>
      forbidden('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${name}'`),
    )
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

/** Through pods/ephemeralcontainers only the list of ephemeral containers changes, and it only grows. */
export const ephemeralContainersStrategy = {
  prepareForUpdate(next: Pod, previous: Pod): void {
    const { ephemeralContainers } = next.spec
    next.spec = structuredClone(previous.spec)
    next.status = structuredClone(previous.status)
    if (ephemeralContainers) next.spec.ephemeralContainers = ephemeralContainers
  },

  validateUpdate(next: Pod, previous: Pod): FieldError[] {
    const path = 'spec.ephemeralContainers'
    const now = new Map((next.spec.ephemeralContainers ?? []).map((container) => [container.name, container]))
    const errors = (previous.spec.ephemeralContainers ?? []).flatMap((old) => {
      const name = JSON.stringify(old.name)
      const container = now.get(old.name)
      if (!container) return [forbidden(path, `existing ephemeral containers ${name} may not be removed\n`)]
      if (isDeepStrictEqual(container, old)) return []
      return [forbidden(path, `existing ephemeral containers ${name} may not be changed\n`)]
    })
    return [...validateEphemeralContainers(next.spec, 'spec'), ...errors]
  },
}

/** Through pods/resize only CPU and memory of the containers change. */
export const resizeStrategy = {
  prepareForUpdate(next: Pod, previous: Pod): void {
    const asked = new Map((next.spec.containers ?? []).map((container) => [container.name, container.resources]))
    next.spec = structuredClone(previous.spec)
    next.status = structuredClone(previous.status)
    for (const container of next.spec.containers) {
      const resources = asked.get(container.name)
      if (resources) container.resources = resources
    }
  },

  validateUpdate(next: Pod): FieldError[] {
    return next.spec.containers.flatMap(({ resources }, i) =>
      validateResources(resources, `spec.containers[${i}].resources`),
    )
  },
}
