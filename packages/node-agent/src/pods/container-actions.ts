/**
 * What may be decided about one container: to start it, to wait, to kill it. Pure; the vocabulary of pod-actions.ts and
 * init-actions.ts.
 */

import type { Container, EphemeralContainer, Pod } from '@dinghy/shared/api/types'
import { containerHash } from '../observed/labels.ts'
import { restartDelay, type CrashLoopLimits } from '../containers/crash-loop.ts'
import { latestOf, type ObservedContainer, type ObservedPod } from '../observed/observed-pod.ts'

export type ContainerRole = 'init' | 'sidecar' | 'app' | 'ephemeral'

export interface ContainerStart {
  container: Container | EphemeralContainer
  role: ContainerRole
  restartCount: number
  /** To be put on the new container: see crash-loop.ts. */
  crashLoopDelayMs: number
}

export interface ContainerKill {
  id: string
  name: string
  /** The event's text: "Container web failed liveness probe, will be restarted". */
  message: string
  /** Which probe's terminationGracePeriodSeconds counts, if a probe asked for this. */
  probe?: 'livenessProbe' | 'startupProbe'
}

/** A container that must not be restarted yet. */
export interface BackOff {
  name: string
  delayMs: number
  untilMs: number
}

export interface PodActions {
  /** Nothing is left to run: stop what still runs (sidecars), and the sandbox. */
  killPod: boolean
  /** A new sandbox is needed; everything of the old one must go first. */
  createSandbox: { attempt: number } | undefined
  kill: ContainerKill[]
  /** In this order. */
  start: ContainerStart[]
  backOff: BackOff[]
  /** Ids of dead containers that nothing refers to any more. */
  remove: string[]
}

export interface ProbeResults {
  liveness(containerId: string): 'success' | 'failure' | undefined
  startup(containerId: string): 'success' | 'failure' | undefined
}

export interface PodFacts {
  pod: Pod
  observed: ObservedPod
  probes: ProbeResults
  /** Ids of containers that are being stopped right now. */
  stopping: ReadonlySet<string>
  crashLoop: CrashLoopLimits
  nowMs: number
}

/** Plans the start of a container, or the wait before it. */
export function startOrBackOff(
  { observed, crashLoop, nowMs }: PodFacts,
  actions: PodActions,
  container: Container,
  role: ContainerRole,
): void {
  const latest = latestOf(observed, container.name)
  if (!latest) return void actions.start.push(firstStart(container, role))
  // Made but never started: its number is still free.
  if (latest.state === 'created') {
    actions.remove.push(latest.id)
    const { restartCount, crashLoopDelayMs } = latest
    actions.start.push({ container, role, restartCount, crashLoopDelayMs })
    return
  }
  const { delayMs, nextDelayMs } = restartDelay(latest, crashLoop)
  const untilMs = (latest.finishedAt ?? latest.createdAt) + delayMs
  // A changed definition is a fresh start; the delays were earned by the old one.
  const changed = latest.hash !== containerHash(container)
  // What fell with its sandbox, in a power cut or when the cluster was stopped, did not end by itself.
  const [sandbox] = observed.sandboxes
  const fell = !sandbox?.ready || latest.sandboxId !== sandbox.id
  if (fell && !changed) {
    const { restartCount, crashLoopDelayMs } = latest
    return void actions.start.push({ container, role, restartCount: restartCount + 1, crashLoopDelayMs })
  }
  if (nowMs < untilMs && !changed) return void actions.backOff.push({ name: container.name, delayMs, untilMs })
  const restartCount = latest.restartCount + 1
  actions.start.push({ container, role, restartCount, crashLoopDelayMs: changed ? 0 : nextDelayMs })
}

export function firstStart(container: Container | EphemeralContainer, role: ContainerRole): ContainerStart {
  return { container, role, restartCount: 0, crashLoopDelayMs: 0 }
}

interface KillReason {
  message: string
  changed: boolean
  probe?: ContainerKill['probe']
}

export function reasonToKill(
  container: Container,
  running: ObservedContainer,
  probes: ProbeResults,
): KillReason | undefined {
  const { name } = container
  if (running.hash !== containerHash(container)) {
    return { message: `Container ${name} definition changed`, changed: true }
  }
  if (probes.liveness(running.id) === 'failure') {
    return { message: `Container ${name} failed liveness probe`, changed: false, probe: 'livenessProbe' }
  }
  if (probes.startup(running.id) === 'failure') {
    return { message: `Container ${name} failed startup probe`, changed: false, probe: 'startupProbe' }
  }
  return undefined
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

export function hasSucceeded(container: ObservedContainer | undefined): boolean {
  return container?.state === 'exited' && container.exitCode === 0 && container.startError === undefined
}
