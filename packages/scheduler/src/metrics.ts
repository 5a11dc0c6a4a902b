/**
 * The scheduler's own metrics, under kube-scheduler's names.
 */

import type { Metrics } from '@dinghy/shared/process/metrics'
import type { SchedulingQueue } from './scheduling-queue.ts'

export interface SchedulerMetrics {
  attempted(result: 'scheduled' | 'unschedulable' | 'error', profile: string, durationMs: number): void
  preempted(victims: number): void
}

export function schedulerMetrics(metrics: Metrics, queue: Pick<SchedulingQueue, 'pending'>): SchedulerMetrics {
  const attempts = metrics.counter(
    'scheduler_schedule_attempts_total',
    'Number of attempts to schedule pods, by the result.',
    ['result', 'profile'],
  )
  const duration = metrics.histogram(
    'scheduler_scheduling_attempt_duration_seconds',
    'Scheduling attempt latency in seconds.',
    { labelNames: ['result', 'profile'] },
  )
  const preemptions = metrics.counter(
    'scheduler_preemption_attempts_total',
    'Total preemption attempts in the cluster till now.',
  )
  const victims = metrics.histogram('scheduler_preemption_victims', 'Number of selected preemption victims.', {
    buckets: [1, 2, 4, 8, 16, 32, 64],
  })
  metrics.observed(
    'scheduler_pending_pods',
    'Number of pending pods, by the queue they wait in.',
    () => Object.entries(queue.pending).map(([name, value]) => ({ labels: { queue: name }, value })),
    { labelNames: ['queue'] },
  )
  return {
    attempted(result, profile, durationMs) {
      attempts.inc({ result, profile })
      duration.observe({ result, profile }, durationMs / 1000)
    },
    preempted(count) {
      preemptions.inc()
      victims.observe(count)
    },
  }
}
