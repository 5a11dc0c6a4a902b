/**
 * Job: pods that run to their end, as many as it takes.
 *
 *     job-pod.ts         what its pods look like, and when one is over
 *     job-tally.ts       counting each exactly once
 *     failure-policy.ts  what a failure means
 *     job-outcome.ts     when the Job is over
 *     job-backoff.ts     the pause after failures
 *     job-plan.ts        all of it together: what to do next
 *
 * The order of the effects matters: the status is written first, finalizers go after it (see job-tally.ts), pods come
 * and go last. Follows job_controller.go.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, splitKey } from '@dinghy/shared/api/keys'
import { controllerOf } from '@dinghy/shared/api/owners'
import { Jobs, Pods } from '@dinghy/shared/api/resources'
import { labelSelectorFrom, matchesLabels } from '@dinghy/shared/api/selectors'
import type { Job, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating } from '../children/pod-control.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import type { ControllerDeps } from '../deps.ts'
import { resultOf } from './job-outcome.ts'
import { planJob, type JobPlan } from './job-plan.ts'
import { isTracked, jobPod, trackingFinalizer } from './job-pod.ts'

const name = 'job-controller'
/** Jobs that say they are managed by someone else are not ours. */
const ownManager = 'kubernetes.io/job-controller'

export async function startJobController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const jobs = informers.for(Jobs)
  const pods = informers.for(Pods)
  indexByController(pods)
  const events = new EventRecorder(client, { component: name, clock, log })
  const control = { client, events }
  const expectations = new Expectations(pods)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const job = jobs.lister.get(key)
    if (!job) {
      expectations.forget(key)
      return await releaseOrphans(key, signal)
    }
    if (job.spec.managedBy !== undefined && job.spec.managedBy !== ownManager) return
    // Nothing is left to count, but pods that came to their end after the Job did must not be held.
    if (resultOf(job)) return await releaseAll(childrenOf(job, pods).filter(isTracked), signal)

    const selector = labelSelectorFrom(job.spec.selector)
    const finalizers = [trackingFinalizer]
    const owned = await claimChildren({
      client,
      resource: Jobs,
      owner: job,
      selector,
      children: pods,
      finalizers,
      signal,
    })
    const mayAct = expectations.areMet(key)
    const plan = planJob(job, owned, mayAct, clock.now())

    if (!isSemanticallyEqual(plan.status, job.status)) {
      await client.update(Jobs, { ...job, status: plan.status }, { subresource: 'status' }, signal)
    }
    for (const { type, reason, message } of plan.events) events.event(job, type, reason, message)
    await releaseAll(plan.release, signal)
    await act(job, plan, signal)
    const waits = [mayAct ? undefined : expectationsRetryMs, plan.requeueAfterMs].filter((wait) => wait !== undefined)
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) }
  }

  async function act(job: Job, plan: JobPlan, signal: AbortSignal): Promise<void> {
    const key = keyOf(job)
    try {
      await releaseAll(plan.dismiss.filter(isTracked), signal)
      await allOrFirstFailure(
        [...plan.dismiss, ...plan.end].map(async (pod) => {
          await deletePod(control, job, pod, signal)
          expectations.deleted(key, pod)
        }),
      )
      const waiting = [...plan.create]
      await slowStart(waiting.length, async () => {
        const next = waiting.shift()
        const draft = jobPod(job, next?.index, next?.failures ?? 0)
        expectations.wrote(key, await createPod(control, job, draft, signal))
      })
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
  }

  async function releaseAll(held: Pod[], signal: AbortSignal): Promise<void> {
    await allOrFirstFailure(held.map((pod) => release(pod, signal)))
  }

  async function release({ metadata: { namespace, name, uid } }: Pod, signal: AbortSignal): Promise<void> {
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } }
    try {
      await client.patch(Pods, { namespace, name }, { type: 'strategic', body }, {}, signal)
    } catch (error) {
      // Gone already, or another pod has its name by now.
      if (!hasReason(error, 'NotFound', 'Conflict', 'Invalid')) throw error
    }
  }

  /** The Job is gone; nobody will count its pods any more, so nothing must hold them. */
  async function releaseOrphans(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const held = pods.lister.list({ namespace }).filter((pod) => {
      const owner = controllerOf(pod)
      return isTracked(pod) && owner?.kind === 'Job' && owner.name === name
    })
    await releaseAll(held, signal)
  }

  function keysForOrphan(pod: Pod): string[] {
    if (controllerOf(pod)) return []
    const candidates = jobs.lister.list({ namespace: pod.metadata.namespace })
    return candidates
      .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), pod.metadata.labels))
      .map(keyOf)
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: jobs,
      owns: [pods],
      watches: [[pods, keysForOrphan]],
      workers: 5,
      reconcile,
    },
    signal,
  )
  events.stop()
}
