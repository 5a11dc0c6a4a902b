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

  /** Everything, as `contentType`. */
  async text(): Promise<string> {
    return await this.#registry.metrics()
  }
}
