/**
 * The conditions that the node agent owns: PodReadyToStartContainers, Initialized, ContainersReady, Ready and
 * PodScheduled. Pure. Follows upstream's pkg/kubelet/status/generate.go: reasons and messages are its.
 */

import { getCondition } from '@dinghy/shared/api/conditions'
import type { ContainerStatus, Pod, PodCondition } from '@dinghy/shared/api/types'
import { isSidecar } from './container-actions.ts'
import type { PodPhase } from './pod-phase.ts'

export interface ConditionFacts {
  pod: Pod
  phase: PodPhase
  init: readonly ContainerStatus[]
  app: readonly ContainerStatus[]
  sandboxReady: boolean
}

export const ownedConditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']

/** The new list: what others set stays in front, ours follow in upstream's order. */
export function podConditions(facts: ConditionFacts, previous: readonly PodCondition[], now: string): PodCondition[] {
  const others = previous.filter(({ type }) => !ownedConditions.includes(type))
  const containersReady = containersReadyCondition(facts)
  const ours: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: facts.sandboxReady && !isTerminal(facts.phase) ? 'True' : 'False' },
    initializedCondition(facts),
    readyCondition(facts.pod, containersReady, previous),
    containersReady,
    { type: 'PodScheduled', status: 'True' },
  ]
  return [...others, ...ours.map((condition) => stamped(condition, previous, now))]
}

/** The time of a condition is when its status last changed, not when its message did. */
function stamped(next: PodCondition, previous: readonly PodCondition[], now: string): PodCondition {
  const before = getCondition(previous, next.type)
  const since = before?.status === next.status ? before.lastTransitionTime : undefined
  return { ...next, lastTransitionTime: since ?? now }
}

export function isTerminal(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

function initializedCondition({ pod, phase, init, app }: ConditionFacts): PodCondition {
  const type = 'Initialized'
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' }
  const appHasRun = app.some(({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated)
  const unknown: string[] = []
  const incomplete: string[] = []
  for (const container of pod.spec.initContainers ?? []) {
    const status = init.find(({ name }) => name === container.name)
    if (!status) unknown.push(container.name)
    else if (isSidecar(container) ? !status.started : !status.ready) incomplete.push(container.name)
  }
  // Sidecars may be restarted later; what has been initialized stays so.
  if (appHasRun || unknown.length + incomplete.length === 0) return { type, status: 'True' }
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: listed(incomplete, unknown, 'incomplete'),
  }
}

function containersReadyCondition({ pod, phase, init, app }: ConditionFacts): PodCondition {
  const type = 'ContainersReady'
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' }
  const unknown: string[] = []
  const unready: string[] = []
  const counted = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers]
  for (const { name } of counted) {
    const status = [...init, ...app].find((one) => one.name === name)
    if (!status) unknown.push(name)
    else if (!status.ready) unready.push(name)
  }
  if (unknown.length + unready.length === 0) return { type, status: 'True' }
  return { type, status: 'False', reason: 'ContainersNotReady', message: listed(unready, unknown, 'unready') }
}

function readyCondition(pod: Pod, containersReady: PodCondition, conditions: readonly PodCondition[]): PodCondition {
  const type = 'Ready'
  if (containersReady.status !== 'True') return { ...containersReady, type }
  const closed: string[] = []
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = getCondition(conditions, conditionType)
    if (!gate) closed.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    else if (gate.status !== 'True') {
      closed.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`)
    }
  }
  if (closed.length === 0) return { type, status: 'True' }
  return { type, status: 'False', reason: 'ReadinessGatesNotReady', message: closed.join(', ') }
}

function listed(bad: string[], unknown: string[], what: 'unready' | 'incomplete'): string {
  const parts: string[] = []
  if (unknown.length > 0) parts.push(`containers with unknown status: [${unknown.join(' ')}]`)
  if (bad.length > 0) parts.push(`containers with ${what} status: [${bad.join(' ')}]`)
  return parts.join(', ')
}
