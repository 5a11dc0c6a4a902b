/**
 * The metrics every process has: those of the process itself, and the depth of its work queues, under the names that
 * Prometheus' and Kubernetes' own clients use.
 */

import type { Gate } from '../reconcile/gate.ts'
import type { Metrics } from './metrics.ts'

export function addProcessMetrics(metrics: Metrics, queues: ReadonlyMap<string, Gate>): void {
  const startedAt = Date.now() / 1000 - process.uptime()
  metrics.observed(
    'process_start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
    () => startedAt,
  )
  metrics.observed('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss())
  metrics.observed('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', cpuSeconds, {
    type: 'counter',
  })
  metrics.observed(
    'nodejs_heap_size_used_bytes',
    'Bytes of the JavaScript heap in use.',
    () => process.memoryUsage().heapUsed,
  )
  metrics.observed(
    'workqueue_depth',
    'Current depth of workqueue.',
    () => Array.from(queues, ([name, queue]) => ({ labels: { name }, value: queue.length })),
    { labelNames: ['name'] },
  )
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
