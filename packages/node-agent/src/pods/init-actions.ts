/**
 * Which init container runs next. Pure. Init containers run one after the other, each to its end; a sidecar (an init
 * container with restartPolicy Always) lets the next one begin as soon as it has started, and keeps running.
 * Follows upstream's computeInitContainerActions.
 *
 * The list is read from its end: the last init container that the engine has seen is where the pod stands. Everything
 * before it has been passed, so of those only sidecars still need care.
 */

import type { Container } from '@dinghy/shared/api/types'
import { latestOf, type ObservedContainer } from '../observed/observed-pod.ts'
import { isSidecar, reasonToKill, startOrBackOff, type PodActions, type PodFacts } from './container-actions.ts'

/** Adds to `actions`; true when the app containers may run. */
export function initContainerActions(facts: PodFacts, actions: PodActions): boolean {
  const { pod, observed } = facts
  const containers = pod.spec.initContainers ?? []
  if (containers.length === 0) return true
  const passed = pod.spec.containers.some(({ name }) => latestOf(observed, name) !== undefined)
  let initialized = passed
  let isPassed = passed
  const toStart: Container[] = []
  for (const [index, container] of [...containers.entries()].reverse()) {
    const latest = latestOf(observed, container.name)
    if (!latest) {
      // Passed, yet its traces are gone: a sidecar must be there, a completed init container need not.
      if (isPassed && isSidecar(container)) toStart.push(container)
      continue
    }
    if (isPassed) {
      if (isSidecar(container)) keepSidecar(facts, actions, container, latest, toStart)
      continue
    }
    const verdict = isSidecar(container)
      ? sidecarVerdict(facts, actions, container, latest, toStart)
      : initVerdict(facts, container, latest, toStart)
    if (verdict === 'failed') {
      actions.killPod = true
      actions.start = []
      return false
    }
    if (verdict === 'done') {
      const next = containers[index + 1]
      if (next) toStart.push(next)
      else initialized = true
    }
    isPassed = true
  }
  const [first] = containers
  if (!isPassed && first) toStart.push(first)
  // Found from the end, started from the beginning.
  for (const container of toStart.reverse()) {
    startOrBackOff(facts, actions, container, isSidecar(container) ? 'sidecar' : 'init')
  }
  return initialized
}

/** done: the next one may begin · waiting: not yet · failed: never. */
type Verdict = 'done' | 'waiting' | 'failed'

function initVerdict(facts: PodFacts, container: Container, latest: ObservedContainer, toStart: Container[]): Verdict {
  if (latest.state === 'running') return 'waiting'
  if (latest.state === 'exited' && latest.exitCode === 0 && latest.startError === undefined) return 'done'
  if (latest.state === 'exited' && facts.pod.spec.restartPolicy === 'Never') return 'failed'
  toStart.push(container)
  return 'waiting'
}

function sidecarVerdict(
  facts: PodFacts,
  actions: PodActions,
  container: Container,
  latest: ObservedContainer,
  toStart: Container[],
): Verdict {
  keepSidecar(facts, actions, container, latest, toStart)
  if (latest.state !== 'running') return 'waiting'
  return !container.startupProbe || facts.probes.startup(latest.id) === 'success' ? 'done' : 'waiting'
}

/** A sidecar is restarted whatever the pod's restartPolicy says. */
function keepSidecar(
  { probes, stopping }: PodFacts,
  actions: PodActions,
  container: Container,
  latest: ObservedContainer,
  toStart: Container[],
): void {
  if (latest.state !== 'running') return void toStart.push(container)
  if (stopping.has(latest.id)) return
  const kill = reasonToKill(container, latest, probes)
  if (!kill) return
  const message = `Init ${kill.message.replace('Container', 'container')}`
  actions.kill.push({ id: latest.id, name: container.name, message, ...(kill.probe ? { probe: kill.probe } : {}) })
}
