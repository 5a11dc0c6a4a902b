/**
 * Counting pods that are over, each exactly once, although they may be deleted at any time. Pure.
 *
 * Two writes can't be made one: "add one to status.failed" and "forget this pod". So there are three, in this order,
 * and if the process ends after any of them, the next pass goes on from there:
 *
 *     1. the status remembers the pod's uid       status.uncountedTerminatedPods.failed: [uid]
 *     2. the pod loses its finalizer              it may vanish now; its uid is written down
 *     3. the status counts it                     failed + 1, and the uid is taken off the list, in a single write
 *
 * A pod is put on the list only while it has the finalizer, and off it only once the cache shows it without one (or
 * gone); the cache never goes back in time, so it is never put on the list again. The number of failures is at all
 * times the counter plus the list. Succeeded pods of an Indexed Job need no list: a set of indexes can't count one
 * twice.
 */

import type { Job, JobStatus, Pod } from '@dinghy/shared/api/types'
import { nonZero } from '../children/status.ts'
import { judgeFailure } from './failure-policy.ts'
import { formatIndexes, parseIndexes } from './indexes.ts'
import { endOf, failuresBefore, indexOf, isIndexed, isTracked } from './job-pod.ts'

export interface Tally {
  /** Pods that succeeded and failed, counted or about to be. */
  succeeded: number
  failed: number
  completedIndexes: Set<number>
  failedIndexes: Set<number>
  /** What of it goes into the status. */
  status: Pick<JobStatus, 'succeeded' | 'failed' | 'completedIndexes' | 'failedIndexes' | 'uncountedTerminatedPods'>
  /** Pods that may lose the finalizer once that status has been written. */
  release: Pod[]
  /** Whether some pods are on the list still. */
  isCounting: boolean
  /** Set when the pod failure policy says that the whole Job has failed. */
  failJob?: string
}

export function tally(job: Job, pods: Pod[]): Tally {
  const byUid = new Map(pods.map((pod) => [pod.metadata.uid, pod]))
  const list = job.status.uncountedTerminatedPods ?? {}
  const isOpen = (uid: string) => {
    const pod = byUid.get(uid)
    return pod !== undefined && isTracked(pod)
  }
  const open = { succeeded: (list.succeeded ?? []).filter(isOpen), failed: (list.failed ?? []).filter(isOpen) }
  const counted = {
    succeeded: (job.status.succeeded ?? 0) + (list.succeeded ?? []).length - open.succeeded.length,
    failed: (job.status.failed ?? 0) + (list.failed ?? []).length - open.failed.length,
  }
  const known = new Set([...(list.succeeded ?? []), ...(list.failed ?? [])])
  const completedIndexes = parseIndexes(job.status.completedIndexes)
  const failedIndexes = parseIndexes(job.status.failedIndexes)
  const release = pods.filter((pod) => isTracked(pod) && known.has(pod.metadata.uid))
  let failJob: string | undefined

  for (const pod of pods) {
    const end = endOf(job, pod)
    if (end === undefined || !isTracked(pod) || known.has(pod.metadata.uid)) continue
    release.push(pod)
    const index = indexOf(job, pod)
    if (end === 'succeeded') {
      if (!isIndexed(job)) open.succeeded.push(pod.metadata.uid)
      else if (index !== undefined) completedIndexes.add(index)
      continue
    }
    const { action, message } = judgeFailure(job, pod)
    if (action === 'FailJob') failJob ??= message
    if (action !== 'Ignore') open.failed.push(pod.metadata.uid)
    const { backoffLimitPerIndex } = job.spec
    const isIndexUsedUp =
      backoffLimitPerIndex !== undefined && action !== 'Ignore' && failuresBefore(pod) >= backoffLimitPerIndex
    if (index !== undefined && (action === 'FailIndex' || isIndexUsedUp)) failedIndexes.add(index)
  }
  // An index that succeeded in the end has not failed.
  for (const index of completedIndexes) failedIndexes.delete(index)

  const succeeded = isIndexed(job) ? completedIndexes.size : counted.succeeded
  return {
    succeeded: succeeded + open.succeeded.length,
    failed: counted.failed + open.failed.length,
    completedIndexes,
    failedIndexes,
    status: {
      succeeded: nonZero(succeeded),
      failed: nonZero(counted.failed),
      completedIndexes: completedIndexes.size > 0 ? formatIndexes(completedIndexes) : undefined,
      failedIndexes: job.spec.backoffLimitPerIndex === undefined ? undefined : formatIndexes(failedIndexes),
      uncountedTerminatedPods: {
        ...(open.succeeded.length > 0 ? { succeeded: open.succeeded } : {}),
        ...(open.failed.length > 0 ? { failed: open.failed } : {}),
      },
    },
    release,
    isCounting: open.succeeded.length + open.failed.length > 0,
    ...(failJob === undefined ? {} : { failJob }),
  }
}
