/**
 * One container's status, as `kubectl get pod -o yaml` shows it: what it is now, what it was before. Pure.
 * Follows upstream's convertToAPIContainerStatuses and convertContainerStatusToAPI.
 */

import { rfc3339 } from '@dinghy/shared/api/time'
import type { Container, ContainerState, ContainerStatus, EphemeralContainer } from '@dinghy/shared/api/types'
import type { ContainerRole } from './container-actions.ts'
import { latestOf, previousOf, type ObservedContainer, type ObservedPod } from '../observed/observed-pod.ts'

/** Why a container that should run does not. */
export interface WaitingReason {
  reason: string
  message: string
}

export interface ContainerFacts {
  container: Container | EphemeralContainer
  role: ContainerRole
  observed: ObservedPod
  /** The status as it was written before. */
  previous: ContainerStatus | undefined
  waiting: WaitingReason | undefined
  /** "ContainerCreating", or "PodInitializing" when init containers come first. */
  defaultReason: string
  /** The pod will not run again: what has ended stays ended. */
  ending: boolean
  readiness: { started: boolean; ready: boolean }
  /** The image id as the API wants it: "docker-pullable://nginx@sha256:…". */
  imageIdOf: (imageId: string) => string
}

export function containerStatus(facts: ContainerFacts): ContainerStatus {
  const { container, role, observed, previous, imageIdOf } = facts
  const latest = latestOf(observed, container.name)
  if (!latest || latest.state === 'created') return neverRan(facts)
  const running = latest.state === 'running'
  const state = stateOf(latest, facts)
  const lastState = state.waiting ? { terminated: terminated(latest) } : lastStateOf(facts)
  const done = role === 'init' && state.terminated?.exitCode === 0
  const started = running && role !== 'init' && facts.readiness.started
  const ready = done || (running && (role === 'app' || role === 'sidecar') && facts.readiness.ready)
  return {
    ...(previous?.allocatedResources ? { allocatedResources: previous.allocatedResources } : {}),
    ...describe(container),
    name: container.name,
    state,
    lastState,
    ready,
    restartCount: latest.restartCount,
    image: latest.image,
    imageID: imageIdOf(latest.imageId),
    containerID: `docker://${latest.id}`,
    started,
  }
}

function stateOf(latest: ObservedContainer, { waiting }: ContainerFacts): ContainerState {
  if (latest.state === 'running') return { running: { startedAt: rfc3339(latest.startedAt ?? latest.createdAt) } }
  return waiting ? { waiting } : { terminated: terminated(latest) }
}

function lastStateOf({ container, observed, previous }: ContainerFacts): ContainerState {
  const before = previousOf(observed, container.name)
  if (before) return { terminated: terminated(before) }
  return previous?.lastState ?? {}
}

/** The engine knows no such container: it has not been made yet, or its traces are gone. */
function neverRan({ container, previous, waiting, defaultReason, ending }: ContainerFacts): ContainerStatus {
  const base: ContainerStatus = {
    ...describe(container),
    name: container.name,
    state: { waiting: waiting ?? { reason: defaultReason } },
    lastState: previous?.lastState ?? {},
    ready: false,
    restartCount: previous?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    started: false,
  }
  const was = previous?.state
  // It ended properly and has been tidied away since: its end is still the truth.
  if (was?.terminated && previous) return { ...previous }
  if (!was?.running) return base
  const lost = {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: ending
      ? 'The container could not be located when the pod was terminated'
      : 'The container could not be located when the pod was deleted.  The container used to be Running',
  }
  if (ending) return { ...previous, ...base, state: { terminated: lost } }
  return { ...base, lastState: { terminated: lost }, restartCount: (previous?.restartCount ?? 0) + 1 }
}

type Terminated = NonNullable<ContainerState['terminated']>

function terminated(container: ObservedContainer): Terminated {
  const { exitCode, startError, startedAt, finishedAt, createdAt } = container
  const message = startError ?? container.message
  return {
    exitCode: startError !== undefined && exitCode === 0 ? 128 : exitCode,
    reason: terminationReason(container),
    ...(message ? { message } : {}),
    // A container that never started began, as upstream has it, in 1970.
    startedAt: rfc3339(startedAt ?? 0),
    finishedAt: rfc3339(finishedAt ?? createdAt),
    containerID: `docker://${container.id}`,
  }
}

function terminationReason({ oomKilled, startError, exitCode }: ObservedContainer): string {
  if (startError !== undefined) return 'StartError'
  if (oomKilled) return 'OOMKilled'
  return exitCode === 0 ? 'Completed' : 'Error'
}

/** What is repeated from the spec, since 1.33, so that one sees what the running container really has. */
function describe({
  resources,
  volumeMounts,
}: Container | EphemeralContainer): Pick<ContainerStatus, 'allocatedResources' | 'resources' | 'volumeMounts'> {
  const { requests, limits } = resources ?? {}
  return {
    ...(requests ? { allocatedResources: requests } : {}),
    ...(requests || limits ? { resources: { ...(limits ? { limits } : {}), ...(requests ? { requests } : {}) } } : {}),
    ...(volumeMounts?.length
      ? {
          volumeMounts: volumeMounts.map(({ name, mountPath, readOnly }) => ({
            name,
            mountPath,
            ...(readOnly ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
          })),
        }
      : {}),
  }
}
