/**
 * The phase: a pod's life in one word, from the statuses of its containers. Pure. Follows upstream's getPhase.
 *
 *   Pending ──► Running ──► Succeeded | Failed
 *
 * It is a summary for people. Controllers should look at conditions; scripts should too.
 */

import type { ContainerStatus, Pod } from '@dinghy/shared/api/types'
import { isSidecar } from './container-actions.ts'

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

/** `terminal`: the pod is over whatever its restartPolicy says, because it was deleted or ran into its deadline. */
export function podPhase(
  pod: Pod,
  statuses: { init: readonly ContainerStatus[]; app: readonly ContainerStatus[] },
  terminal: boolean,
): PodPhase {
  const { restartPolicy } = pod.spec
  const init = countInit(pod, statuses.init)
  if (init.failed > 0 && restartPolicy === 'Never') return 'Failed'
  const app = countApp(pod, statuses.app)
  if (init.pending > 0) return 'Pending'
  // A sidecar that has not started yet holds back pods whose containers have not started either.
  if (init.sidecarsPending > 0 && app.running + app.stopped === 0) return 'Pending'
  if (app.waiting > 0) return 'Pending'
  if (app.running > 0 && app.unknown === 0) return 'Running'
  if (app.stopped > 0 && app.unknown === 0) {
    if (!terminal && restartPolicy === 'Always') return 'Running'
    if (app.stopped === app.succeeded) return 'Succeeded'
    return terminal || restartPolicy === 'Never' ? 'Failed' : 'Running'
  }
  return 'Pending'
}

function countInit(pod: Pod, statuses: readonly ContainerStatus[]) {
  const count = { pending: 0, failed: 0, sidecarsPending: 0 }
  for (const container of pod.spec.initContainers ?? []) {
    const status = statuses.find(({ name }) => name === container.name)
    const { waiting, running, terminated } = status?.state ?? {}
    const before = status?.lastState?.terminated
    if (isSidecar(container)) {
      if (terminated || (waiting && before)) continue
      if (!running || !status?.started) count.sidecarsPending += 1
      continue
    }
    if (terminated) {
      if (terminated.exitCode !== 0) count.failed += 1
    } else if (waiting && before) {
      // Failed before and about to be tried again: the app containers are still waiting, which says enough.
      if (before.exitCode !== 0) count.failed += 1
    } else {
      count.pending += 1
    }
  }
  return count
}

function countApp(pod: Pod, statuses: readonly ContainerStatus[]) {
  const count = { running: 0, waiting: 0, stopped: 0, succeeded: 0, unknown: 0 }
  for (const { name } of pod.spec.containers) {
    const status = statuses.find((one) => one.name === name)
    const { waiting, running, terminated } = status?.state ?? {}
    if (running) count.running += 1
    else if (terminated) {
      count.stopped += 1
      if (terminated.exitCode === 0) count.succeeded += 1
    } else if (waiting) {
      if (status?.lastState?.terminated) count.stopped += 1
      else count.waiting += 1
    } else count.unknown += 1
  }
  return count
}
