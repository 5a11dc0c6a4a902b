/**
 * What a DaemonSet does next: one pod on every node that should have one, and a new version node by node. Pure.
 *
 * Placing comes first (a missing pod, a surplus one, one on a node that is no longer meant, one that has failed).
 * Only when all of that is settled does the rolling update take a step:
 *
 *     maxSurge 0    old pods are deleted, at most maxUnavailable nodes without a good pod; placing fills the gap.
 *     maxSurge > 0  a new pod comes beside the old one; the old one goes once the new one is available.
 */

import type { DaemonSet, Node, Pod } from '@dinghy/shared/api/types'
import { resolveIntOrPercent } from '../children/int-or-percent.ts'
import { isPodAvailable, isPodReady, isPodTerminal } from '../children/pod-state.ts'
import { revisionHashLabel } from '../history/revision-history.ts'
import { isWantedOn, nodeOf } from './daemon-pod.ts'

export interface DaemonPlan {
  /** Names of nodes that get a pod. */
  create: string[]
  remove: Pod[]
  /** Those among the removed that had ended by themselves. */
  finished: Pod[]
  /** How long until a pod that keeps failing may be replaced. */
  retryInMs?: number
}

export interface DaemonWorld {
  daemonSet: DaemonSet
  nodes: Node[]
  pods: Pod[]
  /** Of the present template. */
  hash: string
  now: number
  /** How long a failed pod of this node must still be left alone; 0 if it may be replaced. */
  backoffMs(node: string): number
}

export function planDaemons(world: DaemonWorld): DaemonPlan {
  const plan = place(world)
  const isSettled = plan.create.length === 0 && plan.remove.length === 0
  if (!isSettled || world.daemonSet.spec.updateStrategy?.type === 'OnDelete') return plan
  return { ...plan, ...(surgeOf(world) > 0 ? updateWithSurge(world) : updateInPlace(world)) }
}

/** Pods by the node that they are on, or meant for. */
export function podsByNode(pods: Pod[]): Map<string, Pod[]> {
  const byNode = new Map<string, Pod[]>()
  for (const pod of pods) {
    const node = nodeOf(pod)
    if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), pod])
  }
  return byNode
}

function place(world: DaemonWorld): DaemonPlan {
  const plan: DaemonPlan = { create: [], remove: [], finished: [] }
  const byNode = podsByNode(world.pods)
  for (const node of world.nodes) {
    const pods = byNode.get(node.metadata.name) ?? []
    byNode.delete(node.metadata.name)
    const { shouldRun, mayStay } = isWantedOn(world.daemonSet, node)
    if (shouldRun && pods.length === 0) plan.create.push(node.metadata.name)
    else if (!mayStay) plan.remove.push(...pods.filter(isStaying))
    else tidy(world, node.metadata.name, pods, plan)
  }
  // Meant for nodes that are gone, and never to be scheduled. Those that ran there are the pod garbage collector's.
  for (const pods of byNode.values()) plan.remove.push(...pods.filter((pod) => isStaying(pod) && !pod.spec.nodeName))
  return plan
}

/** A node that has its pod: finished pods go, and so does every pod but one. */
function tidy(world: DaemonWorld, node: string, pods: Pod[], plan: DaemonPlan): void {
  const staying = pods.filter(isStaying)
  for (const pod of staying.filter(isPodTerminal)) {
    const wait = pod.status.phase === 'Failed' ? world.backoffMs(node) : 0
    if (wait > 0) plan.retryInMs = Math.min(wait, plan.retryInMs ?? wait)
    else plan.finished.push(pod)
    if (wait === 0) plan.remove.push(pod)
  }
  const running = oldestFirst(staying.filter((pod) => !isPodTerminal(pod)))
  plan.remove.push(...(surgeOf(world) > 0 ? surplusWithSurge(world, running) : running.slice(1)))
}

/** While surging, one pod of each version may be there; the old one goes when it is of no use or no longer needed. */
function surplusWithSurge({ daemonSet, hash, now }: DaemonWorld, running: Pod[]): Pod[] {
  const [fresh, ...moreFresh] = running.filter((pod) => isNew(pod, hash))
  const [old, ...moreOld] = running.filter((pod) => !isNew(pod, hash))
  const surplus = [...moreFresh, ...moreOld]
  const isReplaced = fresh && old && (!isPodReady(old) || isPodAvailable(fresh, minReadySecondsOf(daemonSet), now))
  return isReplaced ? [...surplus, old] : surplus
}

function updateInPlace(world: DaemonWorld): Pick<DaemonPlan, 'create' | 'remove'> {
  const { daemonSet, hash, now } = world
  const unavailableOld: Pod[] = []
  const candidates: Pod[] = []
  let unavailable = 0
  for (const pods of wantedNodes(world)) {
    const [pod, ...others] = pods.filter(isStaying)
    const isAvailable = pod !== undefined && isPodAvailable(pod, minReadySecondsOf(daemonSet), now)
    if (pod === undefined || others.length > 0) unavailable += 1
    else if (isNew(pod, hash)) unavailable += isAvailable ? 0 : 1
    // One that does not work costs nothing to replace.
    else (isAvailable ? candidates : unavailableOld).push(pod)
  }
  const room = Math.max(0, unavailableOf(world) - unavailable)
  return { create: [], remove: [...unavailableOld, ...candidates.slice(0, room)] }
}

function updateWithSurge(world: DaemonWorld): Pick<DaemonPlan, 'create' | 'remove'> {
  const { daemonSet, hash, now } = world
  const broken: string[] = []
  const candidates: string[] = []
  let surging = 0
  for (const pods of wantedNodes(world)) {
    const staying = pods.filter(isStaying)
    const fresh = staying.find((pod) => isNew(pod, hash))
    const old = staying.find((pod) => !isNew(pod, hash))
    // Without an old pod there is nothing to replace; with both, the new one is on its way (see surplusWithSurge).
    if (old && fresh) surging += 1
    if (!old || fresh) continue
    const isAvailable = isPodAvailable(old, minReadySecondsOf(daemonSet), now)
    ;(isAvailable ? candidates : broken).push(nodeOf(old) ?? '')
  }
  const room = Math.max(0, surgeOf(world) - surging)
  return { create: [...broken, ...candidates.slice(0, room)], remove: [] }
}

/** The pods of each node that should have one. */
function wantedNodes({ daemonSet, nodes, pods }: DaemonWorld): Pod[][] {
  const byNode = podsByNode(pods)
  return nodes
    .filter((node) => isWantedOn(daemonSet, node).shouldRun)
    .map((node) => byNode.get(node.metadata.name) ?? [])
}

function surgeOf({ daemonSet, nodes }: DaemonWorld): number {
  const { maxSurge = 0 } = daemonSet.spec.updateStrategy?.rollingUpdate ?? {}
  return resolveIntOrPercent(maxSurge, wantedCount(daemonSet, nodes), Math.ceil)
}

/** Rounded up, unlike a Deployment's: with few nodes a percentage must still let the update move. */
function unavailableOf({ daemonSet, nodes }: DaemonWorld): number {
  const { maxUnavailable = 1 } = daemonSet.spec.updateStrategy?.rollingUpdate ?? {}
  return Math.max(1, resolveIntOrPercent(maxUnavailable, wantedCount(daemonSet, nodes), Math.ceil))
}

function wantedCount(daemonSet: DaemonSet, nodes: Node[]): number {
  return nodes.filter((node) => isWantedOn(daemonSet, node).shouldRun).length
}

export function minReadySecondsOf(daemonSet: DaemonSet): number {
  return daemonSet.spec.minReadySeconds ?? 0
}

export function isNew(pod: Pod, hash: string): boolean {
  return pod.metadata.labels?.[revisionHashLabel] === hash
}

function isStaying(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined
}

export function oldestFirst(pods: Pod[]): Pod[] {
  return [...pods].sort(
    (a, b) =>
      // A pod that has found its node is worth more than one that has not.
      Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName)) ||
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )
}
