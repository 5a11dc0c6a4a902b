/**
 * What the server counts of its requests, under upstream's metric names.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Metrics } from '@dinghy/shared/process/metrics'
import { isLasting } from './flow-control.ts'
import type { RequestInfo } from './request-info.ts'

export interface RequestMetrics {
  /** Call the returned function with the status code when the request is over. */
  begin(info: RequestInfo): (code: number) => void
}

export function requestMetrics(metrics: Metrics, clock: Clock): RequestMetrics {
  const resourceLabels = ['verb', 'group', 'version', 'resource', 'subresource'] as const
  const total = metrics.counter('apiserver_request_total', 'Requests by verb, resource and status code.', [
    ...resourceLabels,
    'code',
  ])
  const duration = metrics.histogram(
    'apiserver_request_duration_seconds',
    'How long requests took; watches and other lasting ones left out.',
    { labelNames: resourceLabels },
  )
  const lasting = metrics.gauge(
    'apiserver_longrunning_requests',
    'Watches, logs and other lasting requests that are open.',
    resourceLabels,
  )
  return {
    begin(info) {
      const { verb, group, version, resource, subresource } = info
      // Paths are the client's choice and would make endless series; resources are not, once they exist.
      const labels = { verb: verb.toUpperCase(), group, version, resource, subresource: subresource ?? '' }
      const started = clock.now()
      if (isLasting(info)) lasting.inc(labels)
      return (code) => {
        if (code !== 404) total.inc({ ...labels, code })
        if (isLasting(info)) lasting.dec(labels)
        else if (code !== 404) duration.observe(labels, (clock.now() - started) / 1000)
      }
    },
  }
}
