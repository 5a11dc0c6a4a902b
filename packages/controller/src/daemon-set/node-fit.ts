/**
 * Whether a pod may be on a node at all, by its node selector, its required node affinity and the node's taints. Pure.
 * The scheduler decides *where* a pod goes; the DaemonSet controller only has to know *whether* a node is meant.
 */

import { matchesRequirement, type Operator } from '@dinghy/shared/api/selectors'
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Toleration } from '@dinghy/shared/api/types'
import { tolerates } from '../node-lifecycle/tolerations.ts'

/** All labels of nodeSelector, and one term of the required affinity. */
export function matchesNodeAffinity(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

/** Terms are alternatives; within one everything must hold; an empty one matches no node. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((one) => holds(one, node.metadata.labels ?? {})) &&
    matchFields.every((one) => holds(one, fields))
  )
}

const operators: Record<string, Operator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
}

function holds({ key, operator, values = [] }: NodeSelectorRequirement, labels: Record<string, string>): boolean {
  const known = operators[operator]
  return known !== undefined && matchesRequirement({ key, operator: known, values }, labels)
}

/** Whether every taint of the node with one of these effects is tolerated. */
export function toleratesTaints(tolerations: Toleration[] | undefined, node: Node, effects: string[]): boolean {
  const taints = (node.spec.taints ?? []).filter(({ effect }) => effects.includes(effect))
  return taints.every((taint) => (tolerations ?? []).some((toleration) => tolerates(toleration, taint)))
}
