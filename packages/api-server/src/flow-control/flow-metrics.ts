/**
 * Flow control in numbers, under upstream's names. They are counted by priority level alone: upstream tells the
 * FlowSchemas of a level apart, which would have to be counted for every request.
 */

import type { Metrics, Sample } from '@dinghy/shared/process/metrics'
import { currentLimit } from './concurrency.ts'
import type { FlowController, PriorityLevel } from './flow-controller.ts'

export function observeFlowControl(metrics: Metrics, { levels }: FlowController): void {
  const observe = (
    name: string,
    help: string,
    read: (level: PriorityLevel) => number,
    type: 'gauge' | 'counter' = 'gauge',
  ): void => {
    const samples = (): Sample[] =>
      [...levels.values()].map((level) => ({ labels: { priority_level: level.name }, value: read(level) }))
    metrics.observed(`apiserver_flowcontrol_${name}`, help, samples, { labelNames: ['priority_level'], type })
  }
  observe('dispatched_requests_total', 'Requests that were let in.', ({ counts }) => counts.dispatched, 'counter')
  observe('current_inqueue_requests', 'Requests that wait.', ({ queues }) => queues.waiting)
  observe('current_executing_requests', 'Requests that run.', ({ queues, exempted }) => queues.executing + exempted)
  observe('current_executing_seats', 'Seats of the requests that run.', (level) => level.seatsInUse + level.exempted)
  observe('nominal_limit_seats', 'Seats by the shares of the level.', ({ nominal }) => nominal)
  observe('lower_limit_seats', 'Seats that are never lent.', ({ nominal, lendable }) => nominal - lendable)
  observe('upper_limit_seats', 'Seats with all that may be borrowed.', (level) => upperLimit(level, levels.values()))
  observe('current_limit_seats', 'Seats that may be taken now.', (level) => currentLimit(level, levels.values()))
  metrics.observed(
    'apiserver_flowcontrol_rejected_requests_total',
    'Requests that were turned away.',
    () => rejections(levels.values()),
    {
      labelNames: ['priority_level', 'reason'],
      type: 'counter',
    },
  )
}

function upperLimit(level: PriorityLevel, all: Iterable<PriorityLevel>): number {
  let others = 0
  for (const other of all) if (other !== level) others += other.lendable
  return level.nominal + Math.min(level.borrowable, others)
}

/** Reasons are upstream's words. */
function rejections(levels: Iterable<PriorityLevel>): Sample[] {
  return [...levels].flatMap(({ name, queues, counts }) => {
    const reasons = {
      [queues.queues.length === 0 ? 'concurrency-limit' : 'queue-full']: counts.rejected,
      'time-out': counts.timedOut,
      cancelled: counts.cancelled,
    }
    return Object.entries(reasons).map(([reason, value]) => ({ labels: { priority_level: name, reason }, value }))
  })
}
