/**
 * Topology spread constraints, read once: the pod's own, or the defaults for pods of a Service or a controller.
 */

import { matchesNodeAffinity } from '@dinghy/shared/api/node-selector'
import { labelSelectorFrom, matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import { untoleratedTaints } from '@dinghy/shared/api/taints'
import type { Node, Pod, TopologySpreadConstraint } from '@dinghy/shared/api/types'
import { labelsOf, type NodeInfo, type Snapshot } from '../snapshot.ts'

export const hostname = 'kubernetes.io/hostname'
const zone = 'topology.kubernetes.io/zone'

export interface Constraint {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  /** Which pods are counted. */
  readonly selector: Selector
  /** Whether pods on this node are counted at all (nodeAffinityPolicy, nodeTaintsPolicy). */
  includes(node: Node): boolean
}

/** What clusters have unless somebody says otherwise: spread over hosts and zones, if possible. */
export const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway' },
  { topologyKey: zone, maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
]

/** A pod that has constraints is spread by them; another one, with its siblings, by the defaults. */
export function constraintsOf(
  pod: Pod,
  { lookups }: Snapshot,
  defaults: readonly TopologySpreadConstraint[],
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway',
): Constraint[] {
  const own = pod.spec.topologySpreadConstraints ?? []
  const siblings = own.length > 0 ? undefined : lookups.siblingSelector(pod)
  if (own.length === 0 && siblings === undefined) return []
  return (siblings ? defaults : own)
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => ({
      topologyKey: constraint.topologyKey,
      maxSkew: constraint.maxSkew,
      minDomains: constraint.minDomains ?? 1,
      selector: siblings ?? selectorOf(constraint, pod),
      includes: (node) => isIncluded(constraint, pod, node),
    }))
}

/** matchLabelKeys narrow the selector to pods with the same values as this one: one revision of a Deployment, say. */
function selectorOf({ labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint, pod: Pod): Selector {
  const selector = labelSelectorFrom(labelSelector)
  const labels = pod.metadata.labels ?? {}
  const same = matchLabelKeys.flatMap((key) => {
    const value = labels[key]
    return value === undefined ? [] : [{ key, operator: 'in' as const, values: [value] }]
  })
  return { ...selector, requirements: [...selector.requirements, ...same] }
}

function isIncluded(constraint: TopologySpreadConstraint, pod: Pod, node: Node): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNodeAffinity(pod.spec, node)) return false
  const honorTaints = constraint.nodeTaintsPolicy === 'Honor'
  return !honorTaints || untoleratedTaints(node, pod.spec.tolerations, ['NoSchedule', 'NoExecute']).length === 0
}

export function hasAllDomains(info: NodeInfo, constraints: readonly Constraint[]): boolean {
  return constraints.every(({ topologyKey }) => topologyKey in labelsOf(info))
}

/**
 * Pods of this namespace that the selector matches; those on their way out are not counted. An empty selector counts
 * none.
 */
export function countMatching({ pods }: NodeInfo, { selector }: Constraint, namespace: string | undefined): number {
  if (selector.requirements.length === 0) return 0
  return pods.filter(
    ({ metadata }) =>
      metadata.namespace === namespace && !metadata.deletionTimestamp && matchesLabels(selector, metadata.labels),
  ).length
}
