/**
 * spec.podFailurePolicy: what a pod's failure means. Pure. The first rule that matches decides; without a match the
 * failure counts, as it does without a policy.
 */

import type { Job, Pod } from '@dinghy/shared/api/types'

export interface FailureVerdict {
  action: 'Count' | 'Ignore' | 'FailIndex' | 'FailJob'
  /** For the Job's condition, with FailJob. */
  message: string
}

type Rule = NonNullable<Job['spec']['podFailurePolicy']>['rules'][number]

export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  const rules = job.spec.podFailurePolicy?.rules ?? []
  // A pod that is deleted before it ended has no exit codes to judge by.
  if (pod.status.phase !== 'Failed') return { action: 'Count', message: '' }
  for (const [index, rule] of rules.entries()) {
    const match = matchExitCodes(rule, pod) ?? matchConditions(rule, pod)
    if (match === undefined) continue
    const action = rule.action as FailureVerdict['action']
    return { action, message: `${match} matching ${action} rule at index ${index}` }
  }
  return { action: 'Count', message: '' }
}

function matchExitCodes({ onExitCodes }: Rule, pod: Pod): string | undefined {
  if (!onExitCodes) return undefined
  const { containerName, operator, values } = onExitCodes
  const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])]
  for (const { name, state } of statuses) {
    const exitCode = state?.terminated?.exitCode
    if (exitCode === undefined || exitCode === 0) continue
    if (containerName !== undefined && containerName !== name) continue
    if (values.includes(exitCode) === (operator === 'In')) {
      return `Container ${name} for pod ${pod.metadata.namespace}/${pod.metadata.name} failed with exit code ${exitCode}`
    }
  }
  return undefined
}

function matchConditions({ onPodConditions }: Rule, pod: Pod): string | undefined {
  const conditions = pod.status.conditions ?? []
  const match = onPodConditions?.find(({ type, status }) =>
    conditions.some((condition) => condition.type === type && condition.status === status),
  )
  return match && `Pod ${pod.metadata.namespace}/${pod.metadata.name} has condition ${match.type}`
}
