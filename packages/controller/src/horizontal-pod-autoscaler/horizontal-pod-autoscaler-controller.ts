/**
 * HorizontalPodAutoscaler: as many replicas as the load asks for.
 *
 *     metrics-client.ts      what is used
 *     replicas.ts            how many replicas that asks for
 *     metric-evaluation.ts   the two together, for one metric
 *     behavior.ts            how many of them at once, and not to and fro
 *     scale-target.ts        whom to tell
 *
 * Each autoscaler is looked at every sync period, and at once when its spec changes. What was proposed lately is kept
 * in memory, as upstream does: after a restart the present number is taken for the last proposal.
 * Follows pkg/controller/podautoscaler/horizontal.go.
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import { messageOf } from '@dinghy/shared/api/message-of'
import { HorizontalPodAutoscalers, Pods } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import { matchesLabels, parseLabelSelector, type Selector } from '@dinghy/shared/api/selectors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { HorizontalPodAutoscaler, Pod } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { HorizontalPodAutoscalerCondition, MetricStatus } from 'kubernetes-types/autoscaling/v2.js'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { noHistory, type ScaleHistory, settle, withChange } from './behavior.ts'
import { type Evaluation, evaluate, MetricFailure } from './metric-evaluation.ts'
import { MetricsClient } from './metrics-client.ts'
import { type Scale, ScaleTargets } from './scale-target.ts'

const name = 'horizontal-pod-autoscaler'

type Autoscaler = HorizontalPodAutoscaler
type Conditions = HorizontalPodAutoscalerCondition[]

/** What is remembered of an autoscaler between two looks. */
interface Memory {
  uid: string
  spec: Autoscaler['spec']
  lookedAtMs: number
  history: ScaleHistory
  /** Of the pods that the target had at the last look. */
  selector?: Selector
}

/** What a look comes to, besides the conditions that it set. */
interface Outcome {
  conditions: Conditions
  desired: number
  metrics: MetricStatus[]
  /** Why the number is to change; absent if it stays. */
  because?: string
  history?: ScaleHistory
}

export class HorizontalPodAutoscalerController implements Controller {
  readonly #deps: ControllerDeps
  readonly #autoscalers: Informer<Autoscaler>
  readonly #pods: Informer<Pod>
  readonly #events: EventRecorder
  readonly #targets = new ScaleTargets()
  readonly #memories = new Map<string, Memory>()

  constructor(deps: ControllerDeps) {
    const { informers, clock, log } = deps
    this.#deps = deps
    this.#autoscalers = informers.for(HorizontalPodAutoscalers)
    this.#pods = informers.for(Pods)
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    await runController({ ...this.#deps, name, reconciles: this.#autoscalers, reconcile }, signal)
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const autoscaler = this.#autoscalers.lister.get(key)
    if (!autoscaler || autoscaler.metadata.deletionTimestamp !== undefined) {
      this.#memories.delete(key)
      return undefined
    }
    const { autoscalerSyncPeriodMs: periodMs } = this.#deps.flags
    const now = this.#deps.clock.now()
    const known = this.#memories.get(key)
    const memory = known?.uid === autoscaler.metadata.uid ? known : undefined
    // Our own writes come back as changes; what we saw a moment ago is not worth a second look.
    if (memory && now - memory.lookedAtMs < periodMs && sameJson(memory.spec, autoscaler.spec)) {
      return requeueAfter(memory.lookedAtMs + periodMs - now)
    }
    const { uid } = autoscaler.metadata
    const { history, selector } = memory ?? { history: noHistory }
    const looked: Memory = { uid, spec: autoscaler.spec, lookedAtMs: now, history, ...(selector ? { selector } : {}) }
    this.#memories.set(key, looked)
    await this.#look(autoscaler, looked, context)
    return requeueAfter(periodMs)
  }

  async #look(autoscaler: Autoscaler, memory: Memory, context: ReconcileContext): Promise<void> {
    const { namespace = '' } = autoscaler.metadata
    const { scaleTargetRef } = autoscaler.spec
    let scale: Scale
    try {
      scale = await this.#targets.get(context.client, namespace, scaleTargetRef, context.signal)
    } catch (error) {
      if (context.signal.aborted) throw error
      const text = messageOf(error)
      this.#events.event(autoscaler, 'Warning', 'FailedGetScale', text)
      const message = `the HPA controller was unable to get the target's current scale: ${text}`
      const conditions = this.#told(autoscaler.status.conditions, 'AbleToScale', false, 'FailedGetScale', message)
      await writeStatus(HorizontalPodAutoscalers, autoscaler, { ...autoscaler.status, conditions }, context)
      return
    }
    const current = scale.spec.replicas ?? 0
    if (memory.history.proposals.length === 0) {
      memory.history = { ...memory.history, proposals: [{ replicas: current, atMs: memory.lookedAtMs }] }
    }
    const found = this.#told(
      autoscaler.status.conditions,
      'AbleToScale',
      true,
      'SucceededGetScale',
      "the HPA controller was able to get the target's current scale",
    )
    const outcome = await this.#decide(autoscaler, scale, memory.history, found, context)
    memory.history = outcome.history ?? memory.history
    const conditions = await this.#rescale(autoscaler, scale, memory, outcome, context)
    const isRescaled = conditions.some(({ reason }) => reason === 'SucceededRescale')
    const status = {
      ...autoscaler.status,
      conditions,
      currentReplicas: current,
      desiredReplicas: outcome.desired,
      currentMetrics: outcome.metrics,
      ...(isRescaled && outcome.because !== undefined ? { lastScaleTime: rfc3339(memory.lookedAtMs) } : {}),
    }
    await writeStatus(HorizontalPodAutoscalers, autoscaler, status, context)
  }

  async #decide(
    autoscaler: Autoscaler,
    scale: Scale,
    history: ScaleHistory,
    conditions: Conditions,
    context: ReconcileContext,
  ): Promise<Outcome> {
    const { minReplicas: min = 1, maxReplicas: max, behavior } = autoscaler.spec
    const current = scale.spec.replicas ?? 0
    if (current === 0 && min !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero'
      const disabled = this.#told(conditions, 'ScalingActive', false, 'ScalingDisabled', message)
      return { conditions: disabled, desired: 0, metrics: [] }
    }
    const bounded = { conditions, metrics: [] }
    if (current > max) return { ...bounded, desired: max, because: 'Current number of replicas above Spec.MaxReplicas' }
    if (current < min) return { ...bounded, desired: min, because: 'Current number of replicas below Spec.MinReplicas' }
    const evaluated = await this.#evaluate(autoscaler, scale, conditions, context)
    if (!evaluated.best) {
      return {
        conditions: evaluated.conditions,
        desired: autoscaler.status.desiredReplicas ?? current,
        metrics: evaluated.metrics,
      }
    }
    const proposed = evaluated.best.replicas
    const { autoscalerDownscaleStabilizationMs: downscaleStabilizationMs } = this.#deps.flags
    const now = this.#deps.clock.now()
    const settled = settle({ current, proposed, min, max, behavior, downscaleStabilizationMs, now }, history)
    const { able, limited, replicas } = settled
    const told = this.#told(evaluated.conditions, 'AbleToScale', true, able.reason, able.message)
    const because = proposed > current ? `${evaluated.best.what} above target` : 'All metrics below target'
    return {
      conditions: this.#told(told, 'ScalingLimited', limited.isLimited, limited.reason, limited.message),
      desired: replicas,
      metrics: evaluated.metrics,
      ...(replicas === current ? {} : { because }),
      history: settled.history,
    }
  }

  /** The metric that asks for most. A metric that cannot be read never lets the number shrink. */
  async #evaluate(
    autoscaler: Autoscaler,
    scale: Scale,
    conditions: Conditions,
    context: ReconcileContext,
  ): Promise<{ best?: Evaluation; metrics: MetricStatus[]; conditions: Conditions }> {
    const { selector = '', replicas: statusReplicas = 0 } = scale.status ?? {}
    const { namespace = '' } = autoscaler.metadata
    if (selector === '') {
      this.#events.event(autoscaler, 'Warning', 'SelectorRequired', 'selector is required')
      const message = "the HPA target's scale is missing a selector"
      return {
        metrics: [],
        conditions: this.#told(conditions, 'ScalingActive', false, 'InvalidSelector', message),
      }
    }
    const parsed = parseLabelSelector(selector)
    const pods = this.#pods.lister.list({ namespace, selector: parsed })
    const rivals = this.#autoscalersOf(autoscaler, parsed, pods)
    if (rivals.length > 1) {
      const listed = rivals.map((rival) => `{${rival} ${namespace}}`).join(' ')
      const message = `pods by selector ${selector} are controlled by multiple HPAs: [${listed}]`
      this.#events.event(autoscaler, 'Warning', 'AmbiguousSelector', message)
      this.#events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', message)
      return { metrics: [], conditions: this.#told(conditions, 'ScalingActive', false, 'AmbiguousSelector', message) }
    }
    const { autoscalerTuning } = this.#deps.flags
    const specReplicas = scale.spec.replicas ?? 0
    const tuning = { ...autoscalerTuning, now: this.#deps.clock.now() }
    const target = { namespace, selector, pods, specReplicas, statusReplicas, tuning }
    const { specs, evaluations, failures } = await this.#evaluateAll(autoscaler, target, context)
    const [best] = evaluations.toSorted((a, b) => b.replicas - a.replicas)
    const metrics = evaluations.map(({ status }) => status)
    const [failure] = failures
    if (failure && (!best || best.replicas < specReplicas)) {
      const summary = `invalid metrics (${failures.length} invalid out of ${specs}), first error is: ${failure.summary}`
      this.#events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', summary)
      const message = `the HPA was unable to compute the replica count: ${failure.message}`
      return {
        metrics,
        conditions: this.#told(conditions, 'ScalingActive', false, failure.reason, message),
      }
    }
    if (!best) return { metrics, conditions }
    const message = `the HPA was able to successfully calculate a replica count from ${best.what}`
    return {
      best,
      metrics,
      conditions: this.#told(conditions, 'ScalingActive', true, 'ValidMetricFound', message),
    }
  }

  /** Names of the autoscalers that count any of the pods as theirs: itself, and with luck nobody else. */
  #autoscalersOf({ metadata: { name: own, namespace = '' } }: Autoscaler, selector: Selector, pods: Pod[]): string[] {
    const mine = this.#memories.get(`${namespace}/${own}`)
    if (mine) mine.selector = selector
    return this.#autoscalers.lister.list({ namespace }).flatMap(({ metadata }) => {
      const theirs = this.#memories.get(`${namespace}/${metadata.name}`)?.selector
      return theirs && pods.some((pod) => matchesLabels(theirs, pod.metadata.labels)) ? [metadata.name] : []
    })
  }

  async #evaluateAll(autoscaler: Autoscaler, target: Parameters<typeof evaluate>[1], context: ReconcileContext) {
    const { client, signal } = context
    const metricsClient = new MetricsClient(client, signal)
    const pluralOf = async (reference: { apiVersion?: string; kind: string }) => {
      const { plural, group } = await this.#targets.resourceOf(client, reference, signal)
      return group === '' ? plural : `${plural}.${group}`
    }
    const evaluations: Evaluation[] = []
    const failures: MetricFailure[] = []
    const specs = autoscaler.spec.metrics ?? []
    for (const spec of specs) {
      try {
        evaluations.push(await evaluate(spec, target, metricsClient, pluralOf))
      } catch (error) {
        if (!(error instanceof MetricFailure)) throw error
        this.#events.event(autoscaler, 'Warning', error.reason, error.message)
        failures.push(error)
      }
    }
    return { specs: specs.length, evaluations, failures }
  }

  async #rescale(
    autoscaler: Autoscaler,
    scale: Scale,
    memory: Memory,
    { conditions, desired, because }: Outcome,
    { client, signal }: ReconcileContext,
  ): Promise<Conditions> {
    if (because === undefined) return conditions
    const { namespace = '' } = autoscaler.metadata
    const current = scale.spec.replicas ?? 0
    const wanted = { ...scale, spec: { ...scale.spec, replicas: desired } }
    try {
      await this.#targets.set(client, namespace, autoscaler.spec.scaleTargetRef, wanted, signal)
    } catch (error) {
      if (signal.aborted) throw error
      const text = messageOf(error)
      this.#events.event(
        autoscaler,
        'Warning',
        'FailedRescale',
        `New size: ${desired}; reason: ${because}; error: ${text}`,
      )
      const message = `the HPA controller was unable to update the target scale: ${text}`
      return this.#told(conditions, 'AbleToScale', false, 'FailedUpdateScale', message)
    }
    this.#events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${because}`)
    memory.history = withChange(memory.history, desired - current, memory.lookedAtMs)
    const message = `the HPA controller was able to update the target scale to ${desired}`
    return this.#told(conditions, 'AbleToScale', true, 'SucceededRescale', message)
  }

  #told(
    conditions: Conditions | undefined,
    type: string,
    isTrue: boolean,
    reason: string,
    message: string,
  ): Conditions {
    const condition = { type, status: isTrue ? 'True' : 'False', reason, message }
    return setCondition(conditions, condition, rfc3339(this.#deps.clock.now()))
  }
}
