/**
 * What all workloads have in common: a selector that must find the pods their template makes.
 */

import { forbidden, invalid, notSupported, required, StringMap, type FieldError } from '@dinghy/shared/api/field-errors'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { LabelSelector, PodTemplateSpec } from '@dinghy/shared/api/types'
import { isEmptySelector, labelSelector, nonNegative } from './checks.ts'
import { validatePodTemplate } from './pod-spec/pod-spec.ts'

/** `kind` as upstream's messages have it: "deployment", "statefulset". */
export function validateSelector(selector: LabelSelector | undefined, kind: string): FieldError[] {
  if (!selector) return [required('spec.selector')]
  const errors = labelSelector('spec.selector', selector)
  if (isEmptySelector(selector)) {
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`))
  }
  return errors
}

/** For workloads whose pods run forever; `kind` is "ReplicaSet", "DaemonSet", … */
export function validateTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
  kind: string,
): FieldError[] {
  const path = 'spec.template'
  const errors = [...templateMatches(template, selector), ...validatePodTemplate(template, path)]
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {}
  if (restartPolicy && restartPolicy !== 'Always') {
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']))
  }
  if (activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`
    errors.push(forbidden(`${path}.spec.activeDeadlineSeconds`, detail))
  }
  return errors
}

export function templateMatches(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
): FieldError[] {
  if (!template) return []
  const labels = template.metadata?.labels
  if (selector) {
    // An invalid selector has been reported already, and cannot be evaluated.
    if (isEmptySelector(selector) || labelSelector('', selector).length > 0) return []
    if (matchesLabels(labelSelectorFrom(selector), labels)) return []
  }
  // No selector at all finds no pods, so it does not find these.
  const path = 'spec.template.metadata.labels'
  return [invalid(path, new StringMap(labels), '`selector` does not match template `labels`')]
}

/** Counts of a status: none is negative, and no part is greater than the whole. Each kind has its own words. */
export interface StatusCounts {
  counts: readonly string[]
  /** `[part, whole, words]` */
  bounds?: readonly (readonly [part: string, whole: string, words: string])[]
}

const withinReplicas = 'cannot be greater than status.replicas'

export function boundedBy(replicas: readonly string[], availableWords: string): StatusCounts['bounds'] {
  return [
    ...replicas.map((part) => [part, 'replicas', withinReplicas] as const),
    ['availableReplicas', 'readyReplicas', availableWords],
  ]
}

export function validateStatusCounts(
  { counts, bounds = [] }: StatusCounts,
  next: object | undefined,
  previous: object | undefined,
): FieldError[] {
  const now = new Map<string, unknown>(Object.entries(next ?? {}))
  const count = (field: string) => Number(now.get(field) ?? 0)
  const errors = counts.flatMap((field) => nonNegative(`status.${field}`, count(field)))
  for (const [part, whole, words] of bounds) {
    if (count(part) > count(whole)) errors.push(invalid(`status.${part}`, count(part), words))
  }
  const { collisionCount: before } = (previous ?? {}) as { collisionCount?: number }
  if (before !== undefined && (now.get('collisionCount') === undefined || count('collisionCount') < before)) {
    errors.push(invalid('status.collisionCount', count('collisionCount'), 'cannot be decremented'))
  }
  return errors
}
