/**
 * What a check of the Pod Security Standards is, and what most of them need: the containers of a pod, who of them sets
 * something, and upstream's way to say so (pod-security-admission/policy's helpers).
 */

import type { Pod } from '@dinghy/shared/api/types'

export type PodSpec = Pod['spec']
export type Container = PodSpec['containers'][number]

export interface CheckedPod {
  annotations: Record<string, string>
  spec: PodSpec
}

export interface Violation {
  /** "host namespaces" */
  reason: string
  /** "hostNetwork=true, hostPID=true" */
  detail: string
}

export interface Check {
  /** Checks run in the order of their ids. */
  id: string
  /** Which minor version of Kubernetes has it first; 0 if all have it. */
  since: number
  /** A restricted check that says the same and more, and the first version that has it. */
  overriddenSince?: number
  run(pod: CheckedPod, minor: number): Violation | undefined
}

/** Init containers, containers, ephemeral containers. */
export function containersOf({ initContainers = [], containers, ephemeralContainers = [] }: PodSpec): Container[] {
  return [...initContainers, ...containers, ...(ephemeralContainers as Container[])]
}

/** `container "a"`, `containers "a", "b"`; undefined if there are none. */
export function containerList(containers: readonly Container[]): string | undefined {
  const names = containers.map(({ name }) => name)
  return names.length > 0 ? `${plural('container', names.length)} ${quoted(names)}` : undefined
}

/** `pod and container "a"`: all who set something; undefined if nobody does. */
export function setters(byPod: boolean, containers: readonly Container[]): string | undefined {
  const all = [byPod ? 'pod' : undefined, containerList(containers)].filter((one) => one !== undefined)
  return all.length > 0 ? all.join(' and ') : undefined
}

export function plural(word: string, count: number, more = `${word}s`): string {
  return count === 1 ? word : more
}

export function quoted(values: readonly string[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ')
}

/** Each once, in order. */
export function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort()
}

export function isWindows({ os }: PodSpec): boolean {
  return os?.name === 'windows'
}
