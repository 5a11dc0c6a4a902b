/**
 * Metrics: prom-client's counters, gauges and histograms of one process, and the text in which Prometheus reads them.
 *
 * Callers may rely on: a metric is registered once under its name (a second registration throws), and names its labels
 * then. A gauge may instead be given a function that is asked at each scrape, for values that already live elsewhere.
 *
 * Only four of prom-client's files are loaded: its default metrics, push gateway and cluster support are of no use
 * here.
 */

import type {
  Counter as CounterType,
  Gauge as GaugeType,
  Histogram as HistogramType,
  Registry as RegistryType,
} from 'prom-client'
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import Registry from 'prom-client/lib/registry.js'

export interface Sample {
  labels?: Readonly<Record<string, string | number>>
  value: number
}

/** Upstream's default buckets for latencies, in seconds. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** How the latencies of one set of labels are distributed, in seconds. */
export class Distribution {
  sum = 0
  count = 0
  readonly #within = latencyBuckets.map(() => 0)

  observe(seconds: number): void {
    this.sum += seconds
    this.count++
    const bucket = latencyBuckets.findIndex((limit) => seconds <= limit)
    if (bucket >= 0) this.#within[bucket] = (this.#within[bucket] ?? 0) + 1
  }

  /** As Prometheus wants it: each bucket holds those below it, too. */
  samples(name: string, labels: Sample['labels']): (Sample & { metricName: string })[] {
    let below = 0
    const buckets = latencyBuckets.map((limit, i) => ({ le: limit, value: (below += this.#within[i] ?? 0) }))
    return [
      ...[...buckets, { le: '+Inf', value: this.count }].map(({ le, value }) => {
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value }
      }),
      { metricName: `${name}_sum`, ...(labels ? { labels } : {}), value: this.sum },
      { metricName: `${name}_count`, ...(labels ? { labels } : {}), value: this.count },
    ]
  }
}

export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  readonly #registry: RegistryType = new Registry()

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): CounterType<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): GaugeType<L> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }

  /** Values are in the base unit of the name: seconds, bytes. */
  histogram<L extends string>(
    name: string,
    help: string,
    { labelNames = [], buckets = latencyBuckets }: { labelNames?: readonly L[]; buckets?: readonly number[] } = {},
  ): HistogramType<L> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.#registry] })
  }

  /** A gauge (or a counter) whose samples are computed when somebody looks. */
  observed(
    name: string,
    help: string,
    read: () => number | Sample[],
    { labelNames = [], type = 'gauge' }: { labelNames?: readonly string[]; type?: 'gauge' | 'counter' } = {},
  ): void {
    const metric = new (type === 'gauge' ? Gauge : Counter)({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        metric.reset()
        const value = read()
        for (const { labels = {}, value: one } of typeof value === 'number' ? [{ value }] : value)
          metric.inc(labels, one)
      },
    })
  }

  /** A histogram of latencies in seconds, whose distributions are counted elsewhere. */
  observedHistogram(
    name: string,
    help: string,
    read: () => { labels: Sample['labels']; distribution: Distribution }[],
  ): void {
    const get = () => {
      const values = read().flatMap(({ labels, distribution }) => distribution.samples(name, labels))
      return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' })
    }
    this.#registry.registerMetric({ name, help, get } as unknown as HistogramType)
  }

  /** Everything, as `contentType`. */
  async text(): Promise<string> {
    return await this.#registry.metrics()
  }
}
