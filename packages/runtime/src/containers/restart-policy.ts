/**
 * When does a container that has exited start again, and after how long. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import type { RestartPolicy } from './record.ts'

const firstDelayMs = 100
const maxDelayMs = 60_000
/** A run this long was a success: the next failure waits only briefly again. */
const stableMs = 10_000

export interface Ended {
  policy: RestartPolicy
  exitCode: number
  /** Restarts so far. */
  restartCount: number
  stoppedByUser: boolean
  /** How long the run lasted, and how long it had been waited for. */
  ranMs: number
  previousDelayMs: number
}

/** The delay before the next start, or undefined to stay down. */
export function restartDelay(ended: Ended): number | undefined {
  if (ended.stoppedByUser || !wantsRestart(ended)) return undefined
  if (ended.ranMs >= stableMs || ended.previousDelayMs === 0) return firstDelayMs
  return Math.min(ended.previousDelayMs * 2, maxDelayMs)
}

function wantsRestart({ policy, exitCode, restartCount }: Ended): boolean {
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true
    case 'on-failure':
      return exitCode !== 0 && (policy.MaximumRetryCount === 0 || restartCount < policy.MaximumRetryCount)
    default:
      return false
  }
}

/** Whether a container that is found down when the runtime starts is to be started, as dockerd does at boot. */
export function startsAtBoot(policy: RestartPolicy, startedByUser: boolean, stoppedByUser: boolean): boolean {
  if (!startedByUser) return false
  return policy.Name === 'always' || (policy.Name === 'unless-stopped' && !stoppedByUser)
}

export function checkRestartPolicy(policy: Partial<RestartPolicy> | undefined, autoRemove: boolean): RestartPolicy {
  const checked: RestartPolicy = { Name: policy?.Name ?? '', MaximumRetryCount: policy?.MaximumRetryCount ?? 0 }
  if (!['', 'no', 'always', 'on-failure', 'unless-stopped'].includes(checked.Name)) {
    throw badParameter(
      `invalid restart policy: unknown policy '${checked.Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    )
  }
  if (checked.MaximumRetryCount !== 0 && checked.Name !== 'on-failure') {
    throw badParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
  }
  if (checked.MaximumRetryCount < 0) {
    throw badParameter('invalid restart policy: maximum retry count cannot be negative')
  }
  if (autoRemove && checked.Name !== '' && checked.Name !== 'no') {
    throw badParameter("can't create 'AutoRemove' container with restart policy")
  }
  return { ...checked, Name: checked.Name === '' ? 'no' : checked.Name }
}
