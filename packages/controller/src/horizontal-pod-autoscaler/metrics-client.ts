/**
 * Where metrics come from: metrics.k8s.io (CPU and memory of pods), custom.metrics.k8s.io and external.metrics.k8s.io,
 * which are there if an extension server for them is installed. All amounts in thousandths.
 */

import { parseDuration } from '@dinghy/shared/api/duration'
import { messageOf } from '@dinghy/shared/api/message-of'
import { labelSelectorFrom, selectorToString } from '@dinghy/shared/api/selectors'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { readJson } from '@dinghy/shared/http/client'
import type { CrossVersionObjectReference, MetricIdentifier } from 'kubernetes-types/autoscaling/v2.js'
import { milliOf, NoProposal, type PodMetrics } from './replicas.ts'

interface PodMetricsList {
  items?: {
    metadata: { name: string }
    timestamp: string
    window: string
    containers: { name: string; usage: Record<string, string> }[]
  }[]
}

interface MetricValueList {
  items?: { describedObject?: { name: string }; timestamp: string; windowSeconds?: number; value: string }[]
}

/** As upstream: how long a value of custom.metrics.k8s.io stands for, if it does not say. */
const defaultWindowMs = 60_000

export class MetricsClient {
  readonly #client: ApiClient
  readonly #signal: AbortSignal

  constructor(client: ApiClient, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
  }

  /** What each pod, or its container of this name, uses. */
  async resource(
    namespace: string,
    podSelector: string,
    resource: string,
    container: string | undefined,
  ): Promise<PodMetrics> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods?${query({ labelSelector: podSelector })}`
    const { items = [] } = await this.#get<PodMetricsList>(path, 'resource metrics API')
    if (items.length === 0) throw new NoProposal('no metrics returned from resource metrics API')
    return new Map(
      items.flatMap(({ metadata, timestamp, window, containers }) => {
        const counted = container === undefined ? containers : containers.filter(({ name }) => name === container)
        const amounts = counted.flatMap(({ usage }) => usage[resource] ?? [])
        // A container that is not measured would make the pod look idle.
        if (amounts.length < counted.length || counted.length === 0) return []
        const milli = amounts.reduce((sum, amount) => sum + milliOf(amount), 0)
        const windowMs = parseDuration(window) ?? 0
        return [[metadata.name, { milli, timestampMs: Date.parse(timestamp), windowMs }] as const]
      }),
    )
  }

  async pods(namespace: string, podSelector: string, metric: MetricIdentifier): Promise<PodMetrics> {
    const selectors = query({ labelSelector: podSelector, metricLabelSelector: selectorOf(metric) })
    const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/pods/*/${metric.name}?${selectors}`
    const { items = [] } = await this.#get<MetricValueList>(path, 'custom metrics API')
    if (items.length === 0) throw new NoProposal('no metrics returned from custom metrics API')
    return new Map(
      items.map(({ describedObject, timestamp, windowSeconds, value }) => [
        describedObject?.name ?? '',
        {
          milli: milliOf(value),
          timestampMs: Date.parse(timestamp),
          windowMs: windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000,
        },
      ]),
    )
  }

  /** `plural`: of the described object's kind, with its group: "ingresses.networking.k8s.io". */
  async object(
    namespace: string,
    { name, kind }: CrossVersionObjectReference,
    plural: string,
    metric: MetricIdentifier,
  ): Promise<number> {
    const selectors = query({ metricLabelSelector: selectorOf(metric) })
    const object = kind === 'Namespace' ? 'metrics' : `${plural}/${name}`
    const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/${object}/${metric.name}?${selectors}`
    const { items = [] } = await this.#get<MetricValueList>(path, 'custom metrics API')
    const [first] = items
    if (!first) throw new NoProposal('no metrics returned from custom metrics API')
    return milliOf(first.value)
  }

  /** The sum over all series that the selector names. */
  async external(namespace: string, metric: MetricIdentifier): Promise<number> {
    const selectors = query({ labelSelector: selectorOf(metric) })
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${metric.name}?${selectors}`
    const { items = [] } = await this.#get<MetricValueList>(path, 'external metrics API')
    if (items.length === 0) throw new NoProposal('no metrics returned from external metrics API')
    return items.reduce((sum, { value }) => sum + milliOf(value), 0)
  }

  async #get<T>(path: string, api: string): Promise<T> {
    try {
      return await readJson<T>(await this.#client.raw('GET', path, undefined, {}, this.#signal))
    } catch (error) {
      if (this.#signal.aborted) throw error
      throw new NoProposal(`unable to fetch metrics from ${api}: ${messageOf(error)}`, { cause: error })
    }
  }
}

function selectorOf({ selector }: MetricIdentifier): string {
  return selector ? selectorToString(labelSelectorFrom(selector)) : ''
}

function query(parameters: Record<string, string>): string {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== '')).toString()
}
