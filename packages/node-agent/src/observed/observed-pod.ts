/**
 * What the engine says about a pod: its sandboxes and containers, read from Docker's answers and from the labels that
 * were put on them. Pure. Everything the node agent decides, it decides from this and the pod's spec, so an agent that
 * starts with an empty memory decides as the one before it would have.
 */

import { label } from './labels.ts'
import type { ContainerInspect, ContainerSummary } from '@dinghy/shared/docker/types'

export interface ObservedContainer {
  id: string
  /** As in the pod's spec. */
  name: string
  /** 'created': made but never started, because an agent died in between. */
  state: 'created' | 'running' | 'exited'
  createdAt: number
  /** Milliseconds since the epoch; undefined when it never ran. */
  startedAt?: number
  finishedAt?: number
  exitCode: number
  oomKilled: boolean
  /** Why the engine could not start it. Such a container counts as exited. */
  startError?: string
  /** As the container was asked for, and the image that turned out to be. */
  image: string
  imageId: string
  hash: string
  /** The sandbox that it was made in. */
  sandboxId: string
  restartCount: number
  crashLoopDelayMs: number
  terminationMessagePolicy: string
  /** Its output is one stream of bytes, and no frames. */
  tty: boolean
  /** What it left in its termination message file; read by whoever observes. */
  message?: string
}

export interface ObservedSandbox {
  id: string
  ready: boolean
  ip?: string
  attempt: number
  createdAt: number
}

export interface ObservedPod {
  /** Newest first. */
  sandboxes: ObservedSandbox[]
  /** Newest first. */
  containers: ObservedContainer[]
}

export interface PodIdentity {
  namespace: string
  name: string
  uid: string
}

/** undefined for containers that no node agent made. */
export function identityOf(labels: Record<string, string>): PodIdentity | undefined {
  const { [label.podNamespace]: namespace, [label.podName]: name, [label.podUid]: uid } = labels
  return namespace && name && uid ? { namespace, name, uid } : undefined
}

export function isSandbox(summary: ContainerSummary): boolean {
  return summary.Labels[label.type] === 'podsandbox'
}

export function readSandbox(summary: ContainerSummary, ip: string | undefined): ObservedSandbox {
  return {
    id: summary.Id,
    ready: isRunning(summary.State),
    ...(ip ? { ip } : {}),
    attempt: numberOf(summary.Labels[label.restartCount]),
    createdAt: summary.Created * 1000,
  }
}

export function addressOf({ NetworkSettings }: Pick<ContainerSummary, 'NetworkSettings'>): string | undefined {
  const addresses = Object.values(NetworkSettings?.Networks ?? {}).map((network) => network?.IPAddress)
  return addresses.find((address) => address !== undefined && address !== '')
}

/** Where the engine's list does not tell addresses. */
export function addressIn(inspect: ContainerInspect): string | undefined {
  return addressOf(inspect) ?? (inspect.NetworkSettings?.IPAddress || undefined)
}

export function readContainer(summary: ContainerSummary, inspect: ContainerInspect): ObservedContainer {
  const { State } = inspect
  const startedAt = timeOf(State.StartedAt)
  const finishedAt = timeOf(State.FinishedAt)
  const createdAt = timeOf(inspect.Created) ?? summary.Created * 1000
  const failedToStart = startedAt === undefined && !State.Running && (State.Error !== '' || State.ExitCode !== 0)
  const running = isRunning(State.Status)
  const state = running ? 'running' : startedAt === undefined && !failedToStart ? 'created' : 'exited'
  return {
    id: summary.Id,
    name: summary.Labels[label.containerName] ?? '',
    state,
    createdAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(running ? {} : { finishedAt: finishedAt ?? createdAt }),
    exitCode: State.ExitCode,
    oomKilled: State.OOMKilled ?? false,
    ...(failedToStart ? { startError: State.Error } : {}),
    image: inspect.Config.Image,
    imageId: inspect.Image,
    hash: summary.Labels[label.hash] ?? '',
    sandboxId: summary.Labels[label.sandboxId] ?? '',
    restartCount: numberOf(summary.Labels[label.restartCount]),
    crashLoopDelayMs: numberOf(summary.Labels[label.crashLoopDelay]),
    terminationMessagePolicy: summary.Labels[label.terminationMessagePolicy] ?? 'File',
    tty: inspect.Config.Tty ?? false,
  }
}

/** The newest container of this name, whatever its state. */
export function latestOf(observed: ObservedPod, name: string): ObservedContainer | undefined {
  return observed.containers.find((container) => container.name === name)
}

/** The one before the newest, which ran to its end. */
export function previousOf(observed: ObservedPod, name: string): ObservedContainer | undefined {
  return observed.containers.filter((container) => container.name === name && container.state === 'exited')[
    latestOf(observed, name)?.state === 'exited' ? 1 : 0
  ]
}

export function newestFirst(a: ObservedContainer, b: ObservedContainer): number {
  return b.restartCount - a.restartCount || b.createdAt - a.createdAt
}

/** A paused container is one that somebody stopped by hand, and still runs as far as a pod is concerned. */
function isRunning(state: ContainerSummary['State']): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting'
}

/** Docker writes the year 1 for "never". */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text.startsWith('0001-')) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

function numberOf(text: string | undefined): number {
  const value = Number(text)
  return Number.isFinite(value) ? value : 0
}
