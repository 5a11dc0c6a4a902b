/**
 * A pod's quality of service: who is evicted first when a node runs out of memory.
 */

import { compareQuantities } from '@dinghy/shared/api/quantity'
import type { PodSpec } from '@dinghy/shared/api/types'

const counted = ['cpu', 'memory']

/** Guaranteed: every container limits CPU and memory and asks for as much. BestEffort: none asks for anything. */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ resources }) => ({
    requests: resources?.requests ?? {},
    limits: resources?.limits ?? {},
  }))
  const asks = (list: Record<string, string>) => counted.some((r) => compareQuantities(list[r] ?? '0', '0') > 0)
  if (!containers.some(({ requests, limits }) => asks(requests) || asks(limits))) return 'BestEffort'
  const guaranteed = containers.every(({ requests, limits }) =>
    counted.every((resource) => {
      const limit = limits[resource]
      return limit !== undefined && compareQuantities(requests[resource] ?? limit, limit) === 0
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
