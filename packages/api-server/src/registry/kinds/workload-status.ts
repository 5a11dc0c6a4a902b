/**
 * What a controller counts in the status of its workload: nothing is negative, and no part is greater than the whole.
 * Each kind has its own words.
 */

import { invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { nonNegative } from './checks.ts'

interface StatusCounts {
  counts: readonly string[]
  /** `[part, whole, words]` */
  bounds?: readonly (readonly [part: string, whole: string, words: string])[]
}

const withinReplicas = 'cannot be greater than status.replicas'

function boundedBy(replicas: readonly string[], availableWords: string): StatusCounts['bounds'] {
  return [
    ...replicas.map((part) => [part, 'replicas', withinReplicas] as const),
    ['availableReplicas', 'readyReplicas', availableWords],
  ]
}

export const deploymentCounts: StatusCounts = {
  counts: [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
    'collisionCount',
  ],
  bounds: boundedBy(['updatedReplicas', 'readyReplicas', 'availableReplicas'], 'cannot be greater than readyReplicas'),
}

export const daemonSetCounts: StatusCounts = {
  counts: [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ],
}

export const replicaSetCounts: StatusCounts = {
  counts: ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
  bounds: boundedBy(
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    'cannot be greater than readyReplicas',
  ),
}

export const statefulSetCounts: StatusCounts = {
  counts: [
    'replicas',
    'readyReplicas',
    'currentReplicas',
    'updatedReplicas',
    'availableReplicas',
    'observedGeneration',
    'collisionCount',
  ],
  bounds: boundedBy(
    ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    'cannot be greater than status.readyReplicas',
  ),
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
