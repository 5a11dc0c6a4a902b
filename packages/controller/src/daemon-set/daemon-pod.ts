/**
 * The pod that a DaemonSet wants on a node, and whether it wants one there. Pure.
 *
 * Daemon pods go through the scheduler like all others, but each is tied to its node by an affinity to the node's name.
 * They tolerate the troubles of a node (not ready, unreachable, short of memory, …), because a node needs its log
 * collector most while it is in trouble.
 */

import { matchesNodeAffinity } from '@dinghy/shared/api/node-selector'
import { ownerReferenceTo } from '@dinghy/shared/api/owners'
import { DaemonSets } from '@dinghy/shared/api/resources'
import { untoleratedTaints } from '@dinghy/shared/api/taints'
import type { DaemonSet, Draft, Node, Pod, PodSpec, Toleration } from '@dinghy/shared/api/types'
import { revisionHashLabel } from '../history/revision-history.ts'

export interface Wanted {
  /** A node that lacks a pod should get one. */
  shouldRun: boolean
  /** A pod that is there may stay. A taint that came later only keeps new pods away, unless it is NoExecute. */
  mayStay: boolean
}

export function isWantedOn(daemonSet: DaemonSet, node: Node): Wanted {
  const spec = daemonSet.spec.template.spec ?? { containers: [] }
  const isNamed = !spec.nodeName || spec.nodeName === node.metadata.name
  if (!isNamed || !matchesNodeAffinity(spec, node)) return { shouldRun: false, mayStay: false }
  const tolerations = tolerationsOf(spec)
  return {
    shouldRun: untoleratedTaints(node, tolerations, ['NoSchedule', 'NoExecute']).length === 0,
    mayStay: untoleratedTaints(node, tolerations, ['NoExecute']).length === 0,
  }
}

export function daemonPod(daemonSet: DaemonSet, node: string, hash: string): Draft<Pod> {
  const { template } = daemonSet.spec
  const { labels, annotations, finalizers } = template.metadata ?? {}
  const spec = template.spec ?? { containers: [] }
  return {
    metadata: {
      generateName: `${daemonSet.metadata.name}-`,
      namespace: daemonSet.metadata.namespace ?? '',
      labels: { ...labels, [revisionHashLabel]: hash },
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [ownerReferenceTo(daemonSet, DaemonSets)],
    },
    spec: { ...spec, affinity: tiedTo(node, spec.affinity), tolerations: tolerationsOf(spec) },
  }
}

/** The node that a daemon pod is on, or is meant for. */
export function nodeOf(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const fields = (required?.nodeSelectorTerms ?? []).flatMap(({ matchFields = [] }) => matchFields)
  return fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')?.values?.[0]
}

/** Whatever terms the template has were used to choose the node; only the node itself remains. */
function tiedTo(node: string, affinity: PodSpec['affinity']): NonNullable<PodSpec['affinity']> {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }
  const requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms: [term] }
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution } }
}

function tolerationsOf(spec: PodSpec): Toleration[] {
  const always: [string, string][] = [
    ['node.kubernetes.io/not-ready', 'NoExecute'],
    ['node.kubernetes.io/unreachable', 'NoExecute'],
    ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
    ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
    ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
    ['node.kubernetes.io/unschedulable', 'NoSchedule'],
  ]
  if (spec.hostNetwork === true) always.push(['node.kubernetes.io/network-unavailable', 'NoSchedule'])
  const added = always.map(([key, effect]) => ({ key, operator: 'Exists', effect }))
  const isReplaced = (one: Toleration) =>
    added.some(({ key, effect, operator }) => one.key === key && one.effect === effect && one.operator === operator)
  return [...(spec.tolerations ?? []).filter((one) => !isReplaced(one)), ...added]
}
