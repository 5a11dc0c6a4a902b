/**
 * The status of a pod, from what the engine shows. Pure: the same facts always give the same status, so it is written
 * only when it differs from the one before. Follows upstream's generateAPIPodStatus.
 *
 *   containers ─► container-status.ts ─► pod-phase.ts ─► pod-conditions.ts ─► PodStatus
 *
 * Callers may rely on: a phase that is final stays; what others put into the status (conditions, qosClass,
 * nominatedNodeName) stays; addresses stay when the sandbox that held them is gone.
 */

import { canonicalJson } from '@dinghy/shared/api/hash'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { Container, ContainerStatus, EphemeralContainer, Pod, PodStatus } from '@dinghy/shared/api/types'
import { isSidecar, type ContainerRole } from './container-actions.ts'
import { containerStatus, type WaitingReason } from './container-status.ts'
import type { ObservedPod } from '../observed/observed-pod.ts'
import { isTerminal, ownedConditions, podConditions } from './pod-conditions.ts'
import { podPhase } from './pod-phase.ts'

export interface StatusFacts {
  pod: Pod
  observed: ObservedPod
  hostIP: string
  /** Why containers that should run do not, by container name. */
  waiting: ReadonlyMap<string, WaitingReason>
  readinessOf: (containerId: string, container: Container | EphemeralContainer) => { started: boolean; ready: boolean }
  imageIdOf: (imageId: string) => string
  /** The pod was told to end; its containers may still be running. */
  ending: boolean
  /** … and none is. */
  ended: boolean
  /** Why the node agent itself ended the pod: DeadlineExceeded, Evicted. */
  verdict?: { reason: string; message: string }
  nowMs: number
}

export function podStatus(facts: StatusFacts): PodStatus {
  const { pod, observed, nowMs, verdict } = facts
  const previous = pod.status
  const hasInit = (pod.spec.initContainers ?? []).length > 0
  const status = (container: Container | EphemeralContainer, role: ContainerRole, old: ContainerStatus[] | undefined) =>
    containerStatus({
      container,
      role,
      observed,
      previous: old?.find(({ name }) => name === container.name),
      waiting: facts.waiting.get(container.name),
      defaultReason: hasInit && role !== 'ephemeral' ? 'PodInitializing' : 'ContainerCreating',
      ending: facts.ending,
      readiness: readinessOf(facts, container),
      imageIdOf: facts.imageIdOf,
    })
  const init = (pod.spec.initContainers ?? []).map((container) =>
    status(container, isSidecar(container) ? 'sidecar' : 'init', previous.initContainerStatuses),
  )
  const app = pod.spec.containers
    .map((container) => status(container, 'app', previous.containerStatuses))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) =>
    status(container, 'ephemeral', previous.ephemeralContainerStatuses),
  )
  const final = isTerminal(previous.phase)
  const phase = final ? (previous.phase as 'Failed') : verdict ? 'Failed' : podPhase(pod, { init, app }, facts.ended)
  const [sandbox] = observed.sandboxes
  const ip = pod.spec.hostNetwork ? facts.hostIP : sandbox?.ip
  const podIPs = ip ? [{ ip }] : (previous.podIPs ?? [])
  const sandboxReady = sandbox?.ready === true && ip !== undefined
  const { reason, message } = final ? previous : (verdict ?? {})
  const { reason: _reason, message: _message, ...kept } = previous
  return {
    ...kept,
    phase,
    conditions: podConditions({ pod, phase, init, app, sandboxReady }, previous.conditions ?? [], rfc3339(nowMs)),
    hostIP: facts.hostIP,
    hostIPs: [{ ip: facts.hostIP }],
    ...(podIPs[0] ? { podIP: podIPs[0].ip, podIPs } : {}),
    startTime: previous.startTime ?? rfc3339(nowMs),
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: app,
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
  }
}

/** Empty objects say nothing, and servers leave them out. */
export function isSameStatus(a: PodStatus, b: PodStatus): boolean {
  return canonicalJson(withoutEmpty(a)) === canonicalJson(withoutEmpty(b))
}

function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, withoutEmpty(item)] as const)
  const kept = entries.filter(([, item]) => item !== undefined && item !== null)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

const ourKeys = ['reason', 'message', 'initContainerStatuses', 'ephemeralContainerStatuses', 'podIP', 'podIPs'] as const

/** Our part of a status laid over the server's version: conditions of others may have come meanwhile. */
export function withOurPart(server: PodStatus, ours: PodStatus): PodStatus {
  const rest: PodStatus = { ...server }
  for (const key of ourKeys) delete rest[key]
  const foreign = (server.conditions ?? []).filter(({ type }) => !ownedConditions.includes(type))
  const own = (ours.conditions ?? []).filter(({ type }) => ownedConditions.includes(type))
  return { ...rest, ...ours, conditions: [...foreign, ...own] }
}

function readinessOf({ observed, readinessOf }: StatusFacts, container: Container | EphemeralContainer) {
  const running = observed.containers.find(({ name, state }) => name === container.name && state === 'running')
  return running ? readinessOf(running.id, container) : { started: false, ready: false }
}
