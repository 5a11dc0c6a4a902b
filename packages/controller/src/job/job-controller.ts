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
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import type { Job, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { adoptersOf, childrenOf, claimChildren, indexByController } from '../children/claim.ts'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { createPod, deletePod, isNamespaceTerminating } from '../children/pod-control.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { allOrFirstFailure, slowStart } from '../children/slow-start.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { resultOf } from './job-outcome.ts'
import { planJob, type JobPlan } from './job-plan.ts'
import { isTracked, jobPod, trackingFinalizer } from './job-pod.ts'

const name = 'job-controller'
/** Jobs that say they are managed by someone else are not ours. */
const ownManager = 'kubernetes.io/job-controller'

export class JobController implements Controller {
  readonly #deps: ControllerDeps
  readonly #jobs: Informer<Job>
  readonly #pods: Informer<Pod>
  readonly #events: EventRecorder
  readonly #expectations: Expectations<Pod>

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#jobs = informers.for(Jobs)
    this.#pods = informers.for(Pods)
    indexByController(this.#pods)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
    this.#expectations = new Expectations(this.#pods)
  }

  async run(signal: AbortSignal): Promise<void> {
    const adopters = (orphan: Pod): string[] =>
      adoptersOf(orphan, this.#jobs, ({ spec }) => labelSelectorFrom(spec.selector))
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#jobs,
        owns: [this.#pods],
        watches: [[this.#pods, adopters]],
        workers: 5,
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const job = this.#jobs.lister.get(key)
    if (!job) {
      this.#expectations.forget(key)
      await this.#releaseOrphans(key, context)
      return undefined
    }
    if (job.spec.managedBy !== undefined && job.spec.managedBy !== ownManager) return undefined
    if (resultOf(job)) {
      // Nothing is left to count, but pods that came to their end after the Job did must not be held.
      await releaseAll(childrenOf(job, this.#pods).filter(isTracked), context)
      return undefined
    }
    const pods = await this.#claimPods(job, context)
    const mayAct = this.#expectations.areMet(key)
    const plan = planJob(job, pods, mayAct, this.#deps.clock.now())

    await writeStatus(Jobs, job, plan.status, context)
    for (const { type, reason, message } of plan.events) this.#events.event(job, type, reason, message)
    await releaseAll(plan.release, context)
    await this.#act(job, plan, context)
    return requeueAfter(mayAct ? undefined : expectationsRetryMs, plan.requeueAfterMs)
  }

  async #claimPods(job: Job, { client, signal }: ReconcileContext): Promise<Pod[]> {
    const selector = labelSelectorFrom(job.spec.selector)
    const finalizers = [trackingFinalizer]
    const options = { client, resource: Jobs, owner: job, selector, children: this.#pods, finalizers, signal }
    return await claimChildren(options)
  }

  async #act(job: Job, plan: JobPlan, context: ReconcileContext): Promise<void> {
    const { client, signal } = context
    const key = keyOf(job)
    const control = { client, events: this.#events }
    try {
      await releaseAll(plan.dismiss.filter(isTracked), context)
      await allOrFirstFailure(
        [...plan.dismiss, ...plan.end].map(async (pod) => {
          await deletePod(control, job, pod, signal)
          this.#expectations.deleted(key, pod)
        }),
      )
      const waiting = [...plan.create]
      await slowStart(waiting.length, async () => {
        const next = waiting.shift()
        const draft = jobPod(job, next?.index, next?.failures ?? 0)
        this.#expectations.wrote(key, await createPod(control, job, draft, signal))
      })
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
  }

  /** The Job is gone; nobody will count its pods any more, so nothing must hold them. */
  async #releaseOrphans(key: string, context: ReconcileContext): Promise<void> {
    const { namespace, name } = splitKey(key)
    const held = this.#pods.lister.list({ namespace }).filter((pod) => {
      const owner = controllerOf(pod)
      return isTracked(pod) && owner?.kind === 'Job' && owner.name === name
    })
    await releaseAll(held, context)
  }
}

/** Takes the tracking finalizer from these pods. */
async function releaseAll(held: Pod[], { client, signal }: ReconcileContext): Promise<void> {
  await allOrFirstFailure(
    held.map(async ({ metadata: { namespace, name, uid } }) => {
      const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } }
      try {
        await client.patch(Pods, { namespace, name }, { type: 'strategic', body }, {}, signal)
      } catch (error) {
        // Gone already, or another pod has its name by now.
        if (!hasReason(error, 'NotFound', 'Conflict', 'Invalid')) throw error
      }
    }),
  )
}
