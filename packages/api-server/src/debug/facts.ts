/**
 * What a write did, in the words of people: "became Ready", "scaled from 2 to 4", "now marked for deletion". Where
 * nothing better is known, the fields that changed, as they are written in manifests (spec.template.metadata.labels).
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Change } from './changed-paths.ts'

interface Condition {
  type: string
  status: string
  reason?: string
}

interface ContainerStatus {
  name: string
  ready?: boolean
  restartCount?: number
  state?: Record<string, { reason?: string; exitCode?: number } | undefined>
}

const mostFields = 3

/** In the order of their weight. */
export function factsOf(before: KubernetesObject | undefined, after: KubernetesObject, changes: Change[]): string[] {
  const paths = new Set(changes.map(({ path }) => path))
  const facts = [
    ...metadataFacts(paths),
    ...specFacts(changes, after),
    ...containerFacts(before, after),
    ...phaseFacts(before, after),
    ...conditionFacts(before, after),
    ...countFacts(before, after),
  ]
  const fields = changes.filter(({ path }) => !isTold(path))
  if (changes.length > 0 && changes.every(({ path }) => path.endsWith('/lastHeartbeatTime'))) return ['heartbeat']
  const told = [...facts, ...fieldFacts(fields)]
  // What is of no interest beside other facts is what there is to tell without them.
  return told.length > 0 ? told : fieldFacts(changes)
}

/** At most as many as a line holds. */
export function sentenceOf(facts: string[]): string {
  const shown = facts.slice(0, mostFields).join(', ')
  return facts.length > mostFields ? `${shown} and ${facts.length - mostFields} more` : shown
}

function metadataFacts(paths: Set<string>): string[] {
  return paths.has('/metadata/deletionTimestamp') ? ['marked for deletion'] : []
}

function specFacts(changes: Change[], { kind }: KubernetesObject): string[] {
  return changes.flatMap(({ path, before, after }) => {
    if (path === '/spec/nodeName' && kind === 'Pod') return [`bound to ${String(after)}`]
    if (path === '/spec/replicas') return [`scaled from ${String(before ?? 1)} to ${String(after ?? 1)}`]
    if (path === '/spec/unschedulable') return [after ? 'cordoned' : 'uncordoned']
    if (/^\/spec\/(template\/spec\/)?containers\/\d+\/image$/.test(path)) return [`image is now ${String(after)}`]
    return []
  })
}

function containerFacts(before: KubernetesObject | undefined, after: KubernetesObject): string[] {
  const previous = new Map(containersOf(before).map((container) => [container.name, container]))
  return containersOf(after).flatMap(({ name, state, restartCount = 0 }) => {
    const old = previous.get(name)
    const was = stateName(old)
    if ((old?.restartCount ?? 0) < restartCount) return [`container ${name} restarted (${restartCount}\u00d7)`]
    if (was === stateName({ name, ...(state ? { state } : {}) })) return []
    if (state?.['running']) return [`container ${name} started`]
    if (state?.['terminated']) return [`container ${name} ended with ${state['terminated'].exitCode ?? '?'}`]
    const reason = state?.['waiting']?.reason
    return reason && old ? [`container ${name}: ${reason}`] : []
  })
}

function containersOf(object: KubernetesObject | undefined): ContainerStatus[] {
  const { containerStatuses } = statusOf(object)
  return Array.isArray(containerStatuses) ? (containerStatuses as ContainerStatus[]) : []
}

function stateName(container: ContainerStatus | undefined): string | undefined {
  const [name] = Object.keys(container?.state ?? {})
  return name && `${name} ${container?.state?.[name]?.reason ?? ''}`
}

function phaseFacts(before: KubernetesObject | undefined, after: KubernetesObject): string[] {
  const { phase } = statusOf(after)
  return phase === undefined || phase === statusOf(before)['phase'] ? [] : [`is ${String(phase)}`]
}

/** Those that say what is told otherwise: a Ready pod has ready containers, and is initialized. */
const minor = new Set(['ContainersReady', 'Initialized', 'PodScheduled', 'PodReadyToStartContainers'])

function conditionFacts(before: KubernetesObject | undefined, after: KubernetesObject): string[] {
  const previous = new Map(conditionsOf(before).map(({ type, status }) => [type, status]))
  return conditionsOf(after).flatMap(({ type, status, reason }) => {
    const was = previous.get(type)
    if (was === status || (minor.has(type) && !(type === 'PodScheduled' && status === 'False'))) return []
    if (status === 'True') return [`became ${type}`]
    if (status === 'Unknown')
      return type === 'Ready' ? [`is Ready or not, nobody knows${reason ? ` (${reason})` : ''}`] : []
    // A condition that comes into the world as False tells nothing, unless it is about being placed.
    if (was === undefined && type !== 'PodScheduled') return []
    return [`is not ${type}${reason ? ` (${reason})` : ''}`]
  })
}

function conditionsOf(object: KubernetesObject | undefined): Condition[] {
  const { conditions } = statusOf(object)
  return Array.isArray(conditions) ? (conditions as Condition[]) : []
}

function statusOf(object: KubernetesObject | undefined): Record<string, unknown> {
  const { status } = (object ?? {}) as { status?: unknown }
  return typeof status === 'object' && status !== null ? (status as Record<string, unknown>) : {}
}

const counts: Record<string, string> = {
  replicas: 'replicas',
  readyReplicas: 'ready',
  availableReplicas: 'available',
  updatedReplicas: 'updated',
}

function countFacts(before: KubernetesObject | undefined, after: KubernetesObject): string[] {
  const numbers = (object: KubernetesObject | undefined, key: string) => Number(statusOf(object)[key] ?? 0)
  return Object.entries(counts).flatMap(([key, what]) => {
    const [was, is] = [numbers(before, key), numbers(after, key)]
    return was === is ? [] : [`${what} ${was} \u2192 ${is}`]
  })
}

/** Told by a fact above, or of no interest beside one. */
function isTold(path: string): boolean {
  return (
    path === '/status' ||
    /^\/status\/(replicas|readyReplicas|availableReplicas|updatedReplicas|phase|conditions|containerStatuses|observedGeneration|startTime|podIPs?|hostIPs?|qosClass|unavailableReplicas|fullyLabeledReplicas|terminatingReplicas)(\/|$)/.test(
      path,
    ) ||
    /^\/spec\/(nodeName|replicas|unschedulable)$/.test(path) ||
    /^\/spec\/(template\/spec\/)?containers\/\d+\/image$/.test(path) ||
    /^\/metadata\/(deletionTimestamp|deletionGracePeriodSeconds|annotations\/kubectl\.kubernetes\.io~1last-applied-configuration)$/.test(
      path,
    )
  )
}

function fieldFacts(changes: Change[]): string[] {
  if (changes.length === 0) return []
  return [`changed ${sentenceOf(changes.map(({ path }) => fieldName(path)))}`]
}

/** /metadata/labels/app.kubernetes.io~1name → metadata.labels[app.kubernetes.io/name]; "" is the whole object. */
export function fieldName(path: string): string {
  const tokens = path.split('/').slice(1)
  const names = tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names.reduce(
    (text, name) => (/^[A-Za-z][\w-]*$/.test(name) ? `${text}${text && '.'}${name}` : `${text}[${name}]`),
    '',
  )
}
