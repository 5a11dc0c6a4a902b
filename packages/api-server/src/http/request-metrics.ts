/**
 * What the server counts of its requests, under upstream's metric names.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { Distribution, type Metrics } from '@dinghy/shared/process/metrics'
import { isLasting } from './flow-control.ts'
import type { RequestInfo } from './request-info.ts'

export interface RequestMetrics {
  /** Call the returned function with the status code when the request is over. */
  begin(info: RequestInfo): (code: number) => void
}

type Labels = Record<(typeof labelNames)[number], string>
const labelNames = ['verb', 'group', 'version', 'resource', 'subresource'] as const

/** One kind of request: how often it was answered with which code. */
interface Series {
  labels: Labels
  codes: Map<number, number>
  durations: Distribution
}

export function requestMetrics(metrics: Metrics, clock: Clock): RequestMetrics {
  // Counted here and shown when somebody looks: prom-client would take as long as the rest of a small get.
  const series = new Map<string, Series>()
  metrics.observed(
    'apiserver_request_total',
    'Requests by verb, resource and status code.',
    () =>
      [...series.values()].flatMap(({ labels, codes }) =>
        Array.from(codes, ([code, value]) => ({ labels: { ...labels, code }, value })),
      ),
    { labelNames: [...labelNames, 'code'], type: 'counter' },
  )
  metrics.observedHistogram(
    'apiserver_request_duration_seconds',
    'How long requests took; watches and other lasting ones left out.',
    () =>
      [...series.values()]
        .filter(({ durations }) => durations.count > 0)
        .map(({ labels, durations: distribution }) => ({ labels, distribution })),
  )
  const lasting = metrics.gauge(
    'apiserver_longrunning_requests',
    'Watches, logs and other lasting requests that are open.',
    labelNames,
  )
  return {
    begin(info) {
      const started = clock.now()
      if (isLasting(info)) lasting.inc(labelsOf(info))
      return (code) => {
        if (isLasting(info)) lasting.dec(labelsOf(info))
        // Paths are the client's choice and would make endless series; resources are not, once they exist.
        if (code === 404) return
        const { codes, durations } = seriesOf(series, info)
        codes.set(code, (codes.get(code) ?? 0) + 1)
        if (!isLasting(info)) durations.observe((clock.now() - started) / 1000)
      }
    },
  }
}

function seriesOf(series: Map<string, Series>, info: RequestInfo): Series {
  const { verb, group, version, resource, subresource = '' } = info
  const key = `${verb} ${group} ${version} ${resource} ${subresource}`
  const known = series.get(key)
  if (known) return known
  const made = { labels: labelsOf(info), codes: new Map<number, number>(), durations: new Distribution() }
  series.set(key, made)
  return made
}

function labelsOf({ verb, group, version, resource, subresource = '' }: RequestInfo): Labels {
  return { verb: verb.toUpperCase(), group, version, resource, subresource }
}
