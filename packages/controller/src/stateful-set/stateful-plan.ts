/**
 * What a StatefulSet does next. Pure.
 *
 *     1. pods that are wanted, from the lowest ordinal up:   missing ─► create · ended ─► delete, to be created again
 *     2. pods that are not, from the highest ordinal down:   delete
 *     3. pods of an older revision, from the highest down:   delete one, unless a later one is not available yet
 *
 * OrderedReady (the default) does one thing at a time and goes on only when the pod before is running, ready and
 * available: a database's first member must be up before the second may join it. Parallel does not wait in 1 and 2.
 * As upstream, OrderedReady also waits for a pod that will never be ready: a set whose new revision is broken needs
 * its stuck pod deleted by hand after the template has been repaired.
 */

import type { Pod, StatefulSet } from '@dinghy/shared/api/types'
import { isPodAvailable, isPodReady, isPodTerminal } from '../children/pod-state.ts'
import { revisionHashLabel } from '../history/revision-history.ts'
import { ordinalOf, wantedOrdinals } from './stateful-pod.ts'

export interface StatefulPlan {
  create: { ordinal: number; revision: string }[]
  remove: Pod[]
  /** Those among the removed that ended by themselves and will be created anew. */
  recreate: Pod[]
}

export interface StatefulWorld {
  set: StatefulSet
  pods: Pod[]
  /** Names of ControllerRevisions: what most pods are of, and what they should become. */
  currentRevision: string
  updateRevision: string
  now: number
}

/** What one of the three parts wants, and whether the next part may have its turn. */
interface Phase extends StatefulPlan {
  isSettled: boolean
}

const nothing: StatefulPlan = { create: [], remove: [], recreate: [] }

export function planStatefulSet(world: StatefulWorld): StatefulPlan {
  const { set } = world
  if (set.metadata.deletionTimestamp !== undefined) return nothing
  const filling = fillUp(world)
  if (!filling.isSettled) return filling
  const shrinking = takeDown(world)
  const mayUpdate = shrinking.isSettled && set.spec.updateStrategy?.type !== 'OnDelete'
  const outdated = mayUpdate ? podToUpdate(world) : undefined
  const remove = new Set([...filling.remove, ...shrinking.remove, ...(outdated ? [outdated] : [])])
  return { create: filling.create, remove: [...remove], recreate: filling.recreate }
}

function fillUp(world: StatefulWorld): Phase {
  const { set } = world
  const members = membersOf(world)
  const places = wantedOrdinals(set).map((ordinal) => ({ ordinal, pod: members.get(ordinal) }))
  const unsettled = places.filter(({ pod }) => !pod || !isInPlace(world, pod))
  const turn = isOrdered(set) ? unsettled.slice(0, 1) : unsettled
  const missing = turn.filter(({ pod }) => !pod)
  const ended = turn.flatMap(({ pod }) => (pod && isPodTerminal(pod) && !isTerminating(pod) ? [pod] : []))
  return {
    create: missing.map(({ ordinal }) => ({ ordinal, revision: revisionFor(world, ordinal) })),
    remove: ended,
    recreate: ended,
    isSettled: !isOrdered(set) || unsettled.length === 0,
  }
}

function takeDown(world: StatefulWorld): Phase {
  const condemned = condemnedPods(world.set, world.pods)
  if (!isOrdered(world.set)) {
    return { ...nothing, remove: condemned.filter((pod) => !isTerminating(pod)), isSettled: true }
  }
  const [highest] = condemned
  if (!highest) return { ...nothing, isSettled: true }
  // An unhealthy pod need not be waited for if it is the lowest such: nothing that depends on it comes before it.
  const lowestUnhealthy = condemned.findLast((pod) => !isPodReady(pod) || isTerminating(pod))
  const mayGo = !isTerminating(highest) && (isInPlace(world, highest) || highest === lowestUnhealthy)
  return { ...nothing, remove: mayGo ? [highest] : [], isSettled: false }
}

/** The highest pod of an older revision at or above the partition, unless a pod above it is not available yet. */
function podToUpdate(world: StatefulWorld): Pod | undefined {
  const members = membersOf(world)
  const partition = world.set.spec.updateStrategy?.rollingUpdate?.partition ?? 0
  for (const ordinal of wantedOrdinals(world.set).slice(partition).reverse()) {
    const pod = members.get(ordinal)
    if (pod && revisionOf(pod) !== world.updateRevision && !isTerminating(pod)) return pod
    if (!pod || !isInPlace(world, pod)) return undefined
  }
  return undefined
}

/** Pods beyond the wanted ordinals, highest first. */
export function condemnedPods(set: StatefulSet, pods: Pod[]): Pod[] {
  const wanted = new Set(wantedOrdinals(set))
  return pods
    .map((pod) => ({ pod, ordinal: ordinalOf(set, pod) }))
    .filter((one): one is { pod: Pod; ordinal: number } => one.ordinal !== undefined && !wanted.has(one.ordinal))
    .sort((a, b) => b.ordinal - a.ordinal)
    .map(({ pod }) => pod)
}

/** A pod below the partition that has to be created again must not come back with the new template. */
function revisionFor({ set, currentRevision, updateRevision }: StatefulWorld, ordinal: number): string {
  if (set.spec.updateStrategy?.type === 'OnDelete') return updateRevision
  const start = set.spec.ordinals?.start ?? 0
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition
  const firstUpdated = start + (partition ?? set.status.currentReplicas ?? 0)
  return ordinal < firstUpdated ? currentRevision : updateRevision
}

function membersOf({ set, pods }: StatefulWorld): Map<number | undefined, Pod> {
  return new Map(pods.map((pod) => [ordinalOf(set, pod), pod]))
}

export function revisionOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[revisionHashLabel]
}

function isOrdered(set: StatefulSet): boolean {
  return set.spec.podManagementPolicy !== 'Parallel'
}

function isInPlace({ set, now }: StatefulWorld, pod: Pod): boolean {
  return isRunningAndReady(pod) && !isTerminating(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now)
}

export function isRunningAndReady(pod: Pod): boolean {
  return pod.status.phase === 'Running' && isPodReady(pod)
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}
