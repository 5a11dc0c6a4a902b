/**
 * Deletes Jobs that ended spec.ttlSecondsAfterFinished ago, with their pods. A Job without that field stays until
 * somebody deletes it. Follows ttlafterfinished_controller.go.
 */

import { Jobs } from '@dinghy/shared/api/resources'
import type { Job } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import type { ControllerDeps } from '../deps.ts'
import { resultOf } from './job-outcome.ts'

export async function startTtlAfterFinishedController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const jobs = informers.for(Jobs)

  async function reconcile(key: string, { signal, client }: ReconcileContext) {
    const job = jobs.lister.get(key)
    if (!job) return undefined
    const left = timeLeftMs(job, clock.now())
    if (left === undefined) return undefined
    if (left > 0) return { requeueAfterMs: left }
    // The TTL may have been raised a moment ago: what is deleted is what we have looked at.
    const { namespace, name, uid, resourceVersion } = job.metadata
    const options = { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } } as const
    // Someone may have been quicker.
    await ifPresent(client.delete(Jobs, { namespace, name }, options, signal))
    return undefined
  }

  await runController(
    { name: 'ttl-after-finished-controller', client: deps.client, clock, log, reconciles: jobs, reconcile },
    signal,
  )
}

/** Until the Job's time is up; undefined if it has not ended, has no TTL, or is being deleted already. */
export function timeLeftMs(job: Job, now: number): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec
  const endedAt = resultOf(job)?.lastTransitionTime
  if (ttlSecondsAfterFinished === undefined || endedAt === undefined) return undefined
  if (job.metadata.deletionTimestamp !== undefined) return undefined
  return Date.parse(endedAt) + ttlSecondsAfterFinished * 1000 - now
}
