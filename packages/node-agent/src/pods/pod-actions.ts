/**
 * What must be done so that a pod becomes what its spec says: the heart of a kubelet. Pure.
 *
 *   (pod, what the engine shows, probe results, now)  →  kill these · start those · wait for that · tidy up
 *
 * Callers may rely on: the answer depends on nothing else, so asking twice gives the same answer; a container being
 * stopped is neither stopped again nor replaced before it is gone. Follows upstream's kuberuntime computePodActions;
 * init-actions.ts is the part about init containers, container-actions.ts the part about a single one. Pods that are
 * being deleted or have finished are not asked about here: see pod-termination.ts.
 */

import type { Container, Pod } from '@dinghy/shared/api/types'
import { containerHash } from '../observed/labels.ts'
import {
  firstStart,
  hasSucceeded,
  isSidecar,
  reasonToKill,
  startOrBackOff,
  type PodActions,
  type PodFacts,
} from './container-actions.ts'
import { initContainerActions } from './init-actions.ts'
import { latestOf, type ObservedContainer, type ObservedPod } from '../observed/observed-pod.ts'

export function podActions(facts: PodFacts): PodActions {
  const { pod, observed } = facts
  const actions: PodActions = {
    killPod: false,
    createSandbox: undefined,
    kill: [],
    start: [],
    backOff: [],
    remove: superfluous(observed),
  }
  const attempt = nextSandboxAttempt(pod, observed)
  if (attempt !== undefined) return withNewSandbox(facts, actions, attempt)
  for (const container of pod.spec.ephemeralContainers ?? []) {
    if (!latestOf(observed, container.name)) actions.start.push(firstStart(container, 'ephemeral'))
  }
  const initialized = initContainerActions(facts, actions)
  if (actions.killPod || !initialized) return actions
  const kept = appContainerActions(facts, actions)
  const starts = actions.start.some(({ role }) => role === 'app') || actions.backOff.length > 0
  if (kept === 0 && !starts) {
    actions.killPod = true
    // Sidecars live for the sake of the others.
    actions.start = []
  }
  return actions
}

/** undefined: the newest sandbox is alive. */
function nextSandboxAttempt(pod: Pod, { sandboxes }: ObservedPod): number | undefined {
  const newest = sandboxes[0]
  if (!newest) return 0
  const reachable = pod.spec.hostNetwork === true || newest.ip !== undefined
  return newest.ready && reachable ? undefined : newest.attempt + 1
}

function withNewSandbox(facts: PodFacts, actions: PodActions, attempt: number): PodActions {
  const { pod, observed } = facts
  const hasRun = observed.containers.length > 0
  actions.killPod = attempt > 0 || hasRun
  // A pod that is not to be restarted has had its one chance.
  if (pod.spec.restartPolicy === 'Never' && hasRun) return actions
  const wanted = pod.spec.containers.filter(
    (container) => pod.spec.restartPolicy !== 'OnFailure' || !hasSucceeded(latestOf(observed, container.name)),
  )
  if (wanted.length === 0 && hasRun) return actions
  actions.createSandbox = { attempt }
  const [init] = pod.spec.initContainers ?? []
  // A new sandbox begins from the beginning, init containers included.
  for (const container of init ? [init] : wanted) {
    const role = init ? (isSidecar(init) ? 'sidecar' : 'init') : 'app'
    startOrBackOff(facts, actions, container, role)
  }
  return actions
}

/** Returns how many containers run and are to go on running (or are being stopped, which someone must wait for). */
function appContainerActions(facts: PodFacts, actions: PodActions): number {
  const { pod, observed, probes, stopping } = facts
  let kept = 0
  for (const container of pod.spec.containers) {
    const latest = latestOf(observed, container.name)
    if (latest?.state !== 'running') {
      if (shouldRestart(pod, latest, container)) startOrBackOff(facts, actions, container, 'app')
      continue
    }
    kept += 1
    if (stopping.has(latest.id)) continue
    const kill = reasonToKill(container, latest, probes)
    if (!kill) continue
    const willRestart = kill.changed || pod.spec.restartPolicy !== 'Never'
    const message = willRestart ? `${kill.message}, will be restarted` : kill.message
    actions.kill.push({ id: latest.id, name: container.name, message, ...(kill.probe ? { probe: kill.probe } : {}) })
  }
  return kept
}

function shouldRestart(pod: Pod, latest: ObservedContainer | undefined, container: Container): boolean {
  if (!latest || latest.state === 'created') return true
  if (latest.hash !== containerHash(container)) return true
  if (pod.spec.restartPolicy === 'Never') return false
  return pod.spec.restartPolicy !== 'OnFailure' || !hasSucceeded(latest)
}

/** Of each container the newest is its state and the one before it is `logs --previous`; older ones are of no use. */
function superfluous({ containers, sandboxes }: ObservedPod): string[] {
  const seen = new Map<string, number>()
  const old = containers.filter(({ name, state }) => {
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    return count >= 2 && state !== 'running'
  })
  return [...old, ...sandboxes.slice(1).filter(({ ready }) => !ready)].map(({ id }) => id)
}
