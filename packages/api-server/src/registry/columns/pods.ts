/**
 * `kubectl get pods`: READY, STATUS and RESTARTS are not fields of a pod but a summary of its containers.
 */

import type { ContainerStatus, Pod } from '@dinghy/shared/api/types'
import type { Column } from '../resource-definition.ts'
import { age, ageColumn, column, nameColumn, orNone, wide } from './column.ts'

export const podColumns: Column[] = [
  nameColumn,
  column<Pod>('Ready', 'Containers that are ready, of all that should be.', (pod) => {
    const { ready, total } = summarize(pod)
    return `${ready}/${total}`
  }),
  column<Pod>('Status', 'What the containers, taken together, are doing.', (pod) => summarize(pod).reason),
  column<Pod>('Restarts', 'How often containers were restarted, and when one last was.', (pod, now) => {
    const { restarts, lastRestart } = summarize(pod)
    return restarts > 0 && lastRestart ? `${restarts} (${age(lastRestart, now)} ago)` : String(restarts)
  }),
  ageColumn,
  wide<Pod>('IP', 'The address of the pod.', (pod) => orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP)),
  wide<Pod>('Node', 'The node the pod is bound to.', (pod) => orNone(pod.spec?.nodeName)),
  wide<Pod>('Nominated Node', 'Where the pod will go once preempted pods have left.', (pod) =>
    orNone(pod.status?.nominatedNodeName),
  ),
  wide<Pod>('Readiness Gates', 'Extra conditions that hold, of all the pod asks for.', formatReadinessGates),
]

interface Summary {
  ready: number
  total: number
  reason: string
  restarts: number
  lastRestart: string
}

/**
 * Sidecars – init containers that restart – count like ordinary containers; the other init containers only while they
 * run.
 */
export function summarize(pod: Pod): Summary {
  const { status = {} } = pod as Partial<Pod>
  const sidecars = new Set(
    (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name),
  )
  const summary: Summary = {
    ready: 0,
    total: (pod.spec?.containers ?? []).length + sidecars.size,
    reason: status.reason || status.phase || '',
    restarts: 0,
    lastRestart: '',
  }
  if (status.conditions?.some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated')) {
    summary.reason = 'SchedulingGated'
  }

  const initializing = summarizeInit(pod, sidecars, summary)
  if (!initializing || hasCondition(pod, 'Initialized')) {
    const kept = (status.initContainerStatuses ?? []).filter((c) => sidecars.has(c.name))
    Object.assign(summary, { restarts: 0, lastRestart: '' })
    for (const sidecar of kept) countRestarts(summary, sidecar)
    summarizeMain(pod, summary)
  }

  const terminal = status.phase === 'Failed' || status.phase === 'Succeeded'
  if (pod.metadata.deletionTimestamp && status.reason === 'NodeLost') summary.reason = 'Unknown'
  else if (pod.metadata.deletionTimestamp && !terminal) summary.reason = 'Terminating'
  return summary
}

/** The first init container that is not done names the state: "Init:1/2", "Init:CrashLoopBackOff". */
function summarizeInit(pod: Pod, sidecars: Set<string>, summary: Summary): boolean {
  const statuses = pod.status?.initContainerStatuses ?? []
  for (const [i, container] of statuses.entries()) {
    countRestarts(summary, container)
    const { terminated, waiting } = container.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (sidecars.has(container.name) && container.started) {
      if (container.ready) summary.ready++
      continue
    }
    if (terminated) summary.reason = `Init:${reasonOfEnd(terminated)}`
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') summary.reason = `Init:${waiting.reason}`
    else summary.reason = `Init:${i}/${(pod.spec?.initContainers ?? []).length}`
    return true
  }
  return false
}

/** Counted from the last container to the first, so that the first one in trouble has the last word. */
function summarizeMain(pod: Pod, summary: Summary): void {
  let running = false
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(summary, container)
    const { waiting, terminated } = container.state ?? {}
    if (waiting?.reason) summary.reason = waiting.reason
    else if (terminated) summary.reason = reasonOfEnd(terminated)
    else if (container.ready && container.state?.running) {
      running = true
      summary.ready++
    }
  }
  // One container may be done while others run on.
  if (summary.reason === 'Completed' && running) summary.reason = hasCondition(pod, 'Ready') ? 'Running' : 'NotReady'
}

function countRestarts(summary: Summary, container: ContainerStatus): void {
  summary.restarts += container.restartCount
  const finished = container.lastState?.terminated?.finishedAt
  if (finished && finished > summary.lastRestart) summary.lastRestart = finished
}

function reasonOfEnd(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`
}

function formatReadinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`
}

function hasCondition(pod: Pod, type: string): boolean {
  return (pod.status?.conditions ?? []).some((c) => c.type === type && c.status === 'True')
}
