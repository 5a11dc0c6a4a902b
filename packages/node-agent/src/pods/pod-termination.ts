/**
 * How a pod ends, one step at a time. Pure. First the app containers, all at once; then the sidecars, the last one
 * first, because the earlier ones may serve the later ones; the sandbox, which holds the address, goes last.
 * Follows upstream's killContainersWithSyncResult and its terminationOrdering.
 */

import type { Pod } from '@dinghy/shared/api/types'
import { isSidecar } from './container-actions.ts'
import type { ObservedContainer, ObservedPod } from '../observed/observed-pod.ts'

export interface TerminationStep {
  /** Containers to be stopped now; those that are being stopped already are not named again. */
  stop: ObservedContainer[]
  /** Sandboxes to be killed now: nothing runs in them any more. */
  killSandboxes: string[]
  /** Nothing of this pod runs. */
  done: boolean
}

export function terminationStep(pod: Pod, observed: ObservedPod, stopping: ReadonlySet<string>): TerminationStep {
  const running = observed.containers.filter(({ state }) => state === 'running')
  const readySandboxes = observed.sandboxes.filter(({ ready }) => ready).map(({ id }) => id)
  if (running.length === 0) {
    return { stop: [], killSandboxes: readySandboxes, done: readySandboxes.length === 0 }
  }
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name)
  const others = running.filter(({ name }) => !sidecars.includes(name))
  const lastSidecar = sidecars.findLast((name) => running.some((container) => container.name === name))
  const now = others.length > 0 ? others : running.filter(({ name }) => name === lastSidecar)
  return { stop: now.filter(({ id }) => !stopping.has(id)), killSandboxes: [], done: false }
}

/**
 * How long a container may take to end. Counted from the moment the deletion was asked for, so that an agent that was
 * restarted meanwhile does not grant the time anew; a container always gets one second.
 */
export function graceSeconds(pod: Pod, nowMs: number): number {
  const { deletionTimestamp } = pod.metadata
  if (!deletionTimestamp) return pod.spec.terminationGracePeriodSeconds ?? 30
  // deletionTimestamp is the end of the grace period, not its beginning.
  return Math.max(1, Math.ceil((Date.parse(deletionTimestamp) - nowMs) / 1000))
}
