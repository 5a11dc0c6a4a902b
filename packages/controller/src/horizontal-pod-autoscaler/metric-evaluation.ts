/**
 * One metric of an autoscaler: fetch it, propose a number of replicas, say what was seen. The words of what goes wrong
 * are upstream's (podautoscaler/horizontal.go), because people search for them.
 */

import { messageOf } from '@dinghy/shared/api/message-of'
import { canonicalQuantity } from '@dinghy/shared/api/quantity'
import type { Pod } from '@dinghy/shared/api/types'
import type { MetricSpec, MetricStatus, MetricValueStatus } from 'kubernetes-types/autoscaling/v2.js'
import type { MetricsClient } from './metrics-client.ts'
import {
  milliOf,
  NoProposal,
  type Proposal,
  replicasByAverage,
  replicasByShare,
  replicasByUtilization,
  replicasByValue,
  type Tuning,
} from './replicas.ts'

export interface Target {
  namespace: string
  /** Of the pods, printed. */
  selector: string
  pods: readonly Pod[]
  specReplicas: number
  statusReplicas: number
  tuning: Tuning
}

export interface Evaluation {
  replicas: number
  /** "cpu resource utilization (percentage of request)" */
  what: string
  status: MetricStatus
}

/** A metric that could not be evaluated: the reason of the condition, what it says, and what the event says. */
export class MetricFailure extends Error {
  readonly reason: string
  /** How the failure reads among those of the other metrics. */
  readonly summary: string

  constructor(reason: string, message: string, summary: string, cause: unknown) {
    super(message, { cause })
    this.reason = reason
    this.summary = summary
  }
}

/** The plural, with its group, of an object's kind. */
export type PluralOf = (reference: { apiVersion?: string; kind: string }) => Promise<string>

/** Throws a MetricFailure. */
export async function evaluate(
  spec: MetricSpec,
  target: Target,
  client: MetricsClient,
  pluralOf: PluralOf,
): Promise<Evaluation> {
  const reason = `FailedGet${spec.type}Metric`
  try {
    if (spec.type === 'Resource' || spec.type === 'ContainerResource') return await ofResource(spec, target, client)
    if (spec.type === 'Pods') return await ofPods(spec, target, client)
    if (spec.type === 'Object') return await ofObject(spec, target, client, pluralOf)
    if (spec.type === 'External') return await ofExternal(spec, target, client)
  } catch (error) {
    if (!(error instanceof NoProposal)) throw error
    const { message } = error
    throw new MetricFailure(reason, message, `${failurePrefix(spec)}: ${message}`, error)
  }
  const message = `unknown metric source type ${JSON.stringify(spec.type)}`
  throw new MetricFailure('InvalidMetricSourceType', message, message, undefined)
}

function failurePrefix({ type, resource, containerResource, external }: MetricSpec): string {
  if (type === 'Resource') return `failed to get ${resource?.name} resource metric value`
  if (type === 'ContainerResource') return `failed to get ${containerResource?.name} container metric value`
  if (type === 'External') return `failed to get ${external?.metric.name} external metric value`
  return `failed to get ${type.toLowerCase()} metric value`
}

async function ofResource(spec: MetricSpec, scaled: Target, client: MetricsClient): Promise<Evaluation> {
  const isContainer = spec.type === 'ContainerResource'
  const source = isContainer ? spec.containerResource : spec.resource
  if (!source) throw new NoProposal(`invalid ${isContainer ? 'container ' : ''}resource metric source`)
  const { name, target } = source
  const container = isContainer ? spec.containerResource?.container : undefined
  const proposal = await withPrefix(`failed to get ${name} utilization`, async () => {
    const metrics = await withPrefix(`unable to get metrics for resource ${name}`, () =>
      client.resource(scaled.namespace, scaled.selector, name, container),
    )
    if (target.averageValue !== undefined)
      return replicasByAverage(currentOf(scaled), metrics, milliOf(target.averageValue), name)
    if (target.averageUtilization === undefined) {
      throw new NoProposal(
        'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
      )
    }
    return replicasByUtilization(currentOf(scaled), metrics, {
      resource: name,
      target: target.averageUtilization,
      container,
    })
  })
  const current = valueOf(proposal)
  const how = target.averageValue === undefined ? ' utilization (percentage of request)' : ''
  return {
    replicas: proposal.replicas,
    what: container === undefined ? `${name} resource${how}` : `${name} container resource${how}`,
    status:
      container === undefined
        ? { type: 'Resource', resource: { name, current } }
        : { type: 'ContainerResource', containerResource: { name, container, current } },
  }
}

async function ofPods({ pods: source }: MetricSpec, scaled: Target, client: MetricsClient): Promise<Evaluation> {
  if (source?.target.averageValue === undefined) throw new NoProposal('invalid pods metric source')
  const { metric, target } = source
  const metrics = await withPrefix(`unable to get metric ${metric.name}`, () =>
    client.pods(scaled.namespace, scaled.selector, metric),
  )
  const proposal = replicasByAverage(currentOf(scaled), metrics, milliOf(target.averageValue ?? 0))
  return {
    replicas: proposal.replicas,
    what: `pods metric ${metric.name}`,
    status: { type: 'Pods', pods: { metric, current: valueOf(proposal) } },
  }
}

async function ofObject(
  { object: source }: MetricSpec,
  scaled: Target,
  client: MetricsClient,
  pluralOf: PluralOf,
): Promise<Evaluation> {
  if (!source) throw new NoProposal('invalid object metric source')
  const { describedObject, metric, target } = source
  const { kind, name } = describedObject
  const milli = await withPrefix(
    `unable to get metric ${metric.name}: ${kind} on ${scaled.namespace} ${name}`,
    async () => client.object(scaled.namespace, describedObject, await pluralOf(describedObject), metric),
  )
  const { replicas, current } = ofOneValue(milli, target, scaled, 'object')
  const what = target.value === undefined ? `external metric ${metric.name}` : `${kind} metric ${metric.name}`
  return { replicas, what, status: { type: 'Object', object: { describedObject, metric, current } } }
}

async function ofExternal(
  { external: source }: MetricSpec,
  scaled: Target,
  client: MetricsClient,
): Promise<Evaluation> {
  if (!source) throw new NoProposal('invalid external metric source')
  const { metric, target } = source
  const milli = await withPrefix(`unable to get external metric ${scaled.namespace}/${metric.name}`, () =>
    client.external(scaled.namespace, metric),
  )
  const { replicas, current } = ofOneValue(milli, target, scaled, 'external')
  return {
    replicas,
    what: `external metric ${metric.name}`,
    status: { type: 'External', external: { metric, current } },
  }
}

function ofOneValue(
  milli: number,
  target: { value?: string; averageValue?: string },
  scaled: Target,
  kind: string,
): { replicas: number; current: MetricValueStatus } {
  if (target.value !== undefined) {
    const replicas = replicasByValue(currentOf(scaled), milli, milliOf(target.value))
    return { replicas, current: { value: quantityOf(milli) } }
  }
  if (target.averageValue === undefined) {
    throw new NoProposal(`invalid ${kind} metric source: neither a value target nor an average value target was set`)
  }
  const share = replicasByShare(scaled.statusReplicas, milli, milliOf(target.averageValue), scaled.tuning)
  return { replicas: share.replicas, current: { averageValue: quantityOf(share.averageMilli) } }
}

function currentOf({ pods, specReplicas, tuning }: Target) {
  return { pods, currentReplicas: specReplicas, tuning }
}

function valueOf({ utilization, averageMilli }: Proposal): MetricValueStatus {
  return {
    ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    averageValue: quantityOf(averageMilli),
  }
}

function quantityOf(milli: number): string {
  return canonicalQuantity(`${milli}m`)
}

async function withPrefix<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof NoProposal)) throw error
    throw new NoProposal(`${prefix}: ${messageOf(error)}`, { cause: error })
  }
}
