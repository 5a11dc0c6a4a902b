/**
 * Deletes Jobs that ended spec.ttlSecondsAfterFinished ago, with their pods. A Job without that field stays until
 * somebody deletes it. Follows ttlafterfinished_controller.go.
 */

import { Jobs } from '@dinghy/shared/api/resources'
import type { Job } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { ifPresent } from '../children/if-present.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { resultOf } from './job-outcome.ts'

export class TtlAfterFinishedController implements Controller {
  readonly #deps: ControllerDeps
  readonly #jobs: Informer<Job>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#jobs = deps.informers.for(Jobs)
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    await runController(
      { ...this.#deps, name: 'ttl-after-finished-controller', reconciles: this.#jobs, reconcile },
      signal,
    )
  }

  async reconcile(key: string, { client, signal }: ReconcileContext): Promise<Requeue> {
    const job = this.#jobs.lister.get(key)
    const left = job && timeLeftMs(job, this.#deps.clock.now())
    if (!job || left === undefined) return undefined
    if (left > 0) return requeueAfter(left)
    // The TTL may have been raised a moment ago: what is deleted is what we have looked at.
    const { namespace, name, uid, resourceVersion } = job.metadata
    const options = { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } } as const
    await ifPresent(client.delete(Jobs, { namespace, name }, options, signal))
    return undefined
  }
}

/** Until the Job's time is up; undefined if it has not ended, has no TTL, or is being deleted already. */
export function timeLeftMs(job: Job, now: number): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec
  const endedAt = resultOf(job)?.lastTransitionTime
  if (ttlSecondsAfterFinished === undefined || endedAt === undefined) return undefined
  if (job.metadata.deletionTimestamp !== undefined) return undefined
  return Date.parse(endedAt) + ttlSecondsAfterFinished * 1000 - now
}
