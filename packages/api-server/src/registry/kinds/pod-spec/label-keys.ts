/**
 * `matchLabelKeys` and `mismatchLabelKeys` of pod affinity: the pod's own values of these labels become a part of the
 * selector when the pod is made, and schedulers never look at the keys. Follows the pod strategy of
 * pkg/registry/core/pod.
 */

import { isDeepStrictEqual } from 'node:util'
import type { Pod, PodAffinityTerm } from '@dinghy/shared/api/types'

export function applyLabelKeys({ metadata, spec }: Pod): void {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {}
  for (const rules of [podAffinity, podAntiAffinity]) {
    for (const term of rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []) apply(term, metadata.labels)
    for (const { podAffinityTerm } of rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (podAffinityTerm) apply(podAffinityTerm, metadata.labels)
    }
  }
}

/** A term without a selector matches no pod, with or without keys. */
function apply(term: PodAffinityTerm, labels: Record<string, string> = {}): void {
  const { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term
  const own = (operator: string) => (key: string) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    return value === undefined ? [] : [{ key, operator, values: [value] }]
  }
  const expressions = [...matchLabelKeys.flatMap(own('In')), ...mismatchLabelKeys.flatMap(own('NotIn'))]
  if (expressions.length === 0) return
  const before = labelSelector?.matchExpressions ?? []
  // A second attempt at a generated name finds what the first one added.
  if (!labelSelector || isDeepStrictEqual(before.slice(-expressions.length), expressions)) return
  labelSelector.matchExpressions = [...before, ...expressions]
}
