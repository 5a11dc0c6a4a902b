/**
 * Metrics: counters, gauges and histograms, and the text in which Prometheus reads them.
 *
 * Callers may rely on: a metric is registered once under its name (a second registration throws); label values may be
 * any text; a histogram's buckets are cumulative and end with +Inf, as the format demands. A gauge may instead be given
 * a function that is asked at each scrape, for values that already live elsewhere.
 */

export type LabelValues = Readonly<Record<string, string | number>>
export interface Sample {
  labels?: LabelValues
  value: number
}

export interface Counter {
  inc(labels?: LabelValues, by?: number): void
}

export interface Gauge {
  set(value: number, labels?: LabelValues): void
  inc(labels?: LabelValues, by?: number): void
  remove(labels?: LabelValues): void
}

export interface Histogram {
  /** In the base unit of its name: seconds, bytes. */
  observe(value: number, labels?: LabelValues): void
}

interface Family {
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  lines(name: string): string[]
}

/** Upstream's default buckets for latencies, in seconds. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export class Metrics {
  readonly #families = new Map<string, Family>()

  counter(name: string, help: string): Counter {
    const samples = new Samples()
    this.#register(name, { help, type: 'counter', lines: (name) => samples.lines(name) })
    return { inc: (labels, by = 1) => samples.add(labels, by) }
  }

  gauge(name: string, help: string): Gauge {
    const samples = new Samples()
    this.#register(name, { help, type: 'gauge', lines: (name) => samples.lines(name) })
    return {
      set: (value, labels) => samples.set(labels, value),
      inc: (labels, by = 1) => samples.add(labels, by),
      remove: (labels) => samples.remove(labels),
    }
  }

  /** A gauge (or a counter) whose samples are computed when somebody looks. */
  observed(name: string, help: string, read: () => number | Sample[], type: 'gauge' | 'counter' = 'gauge'): void {
    const lines = (name: string) => {
      const value = read()
      const samples = typeof value === 'number' ? [{ value }] : value
      return samples.map((sample) => `${name}${labelText(sample.labels)} ${numberText(sample.value)}`)
    }
    this.#register(name, { help, type, lines })
  }

  histogram(name: string, help: string, buckets: readonly number[] = latencyBuckets): Histogram {
    const series = new Map<string, { labels: LabelValues; counts: number[]; sum: number; count: number }>()
    const observe = (value: number, labels: LabelValues = {}) => {
      const key = labelText(labels)
      let one = series.get(key)
      if (one === undefined) series.set(key, (one = { labels, counts: buckets.map(() => 0), sum: 0, count: 0 }))
      buckets.forEach((bound, index) => {
        if (value <= bound) one.counts[index] = (one.counts[index] ?? 0) + 1
      })
      one.sum += value
      one.count += 1
    }
    const lines = (name: string) =>
      [...series.values()].flatMap(({ labels, counts, sum, count }) => [
        ...buckets.map((le, index) => `${name}_bucket${labelText({ ...labels, le })} ${counts[index] ?? 0}`),
        `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${count}`,
        `${name}_sum${labelText(labels)} ${numberText(sum)}`,
        `${name}_count${labelText(labels)} ${count}`,
      ])
    this.#register(name, { help, type: 'histogram', lines })
    return { observe }
  }

  /** Everything, as text/plain; version=0.0.4. */
  text(): string {
    const lines: string[] = []
    for (const [name, family] of this.#families) {
      lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`, ...family.lines(name))
    }
    return lines.map((line) => `${line}\n`).join('')
  }

  #register(name: string, family: Family): void {
    if (this.#families.has(name)) throw new Error(`metric ${name} is registered twice`)
    this.#families.set(name, family)
  }
}

/** The values of one metric, keyed by their labels as text. */
class Samples {
  readonly #values = new Map<string, number>()

  add(labels: LabelValues | undefined, by: number): void {
    const key = labelText(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + by)
  }

  set(labels: LabelValues | undefined, value: number): void {
    this.#values.set(labelText(labels), value)
  }

  remove(labels: LabelValues | undefined): void {
    this.#values.delete(labelText(labels))
  }

  lines(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${labels} ${numberText(value)}`)
  }
}

function labelText(labels: LabelValues = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeValue(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}

function numberText(value: number): string {
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value)
}
