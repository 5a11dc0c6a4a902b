// Node selectors: the terms by which a pod (spec.affinity, spec.nodeSelector) or a volume says which nodes will do.
// Terms are alternatives; within one term everything must hold; a term without any requirement matches no node.

import { matchesRequirement, type Operator } from '@dinghy/shared/api/selectors'
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '@dinghy/shared/api/types'

export function matchesNodeSelector(selector: NodeSelector, node: Node): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

export function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (isEmptyTerm({ matchExpressions, matchFields })) return false
  const labels = node.metadata.labels ?? {}
  // metadata.name is the only field there is.
  const fields = { 'metadata.name': node.metadata.name }
  return matchExpressions.every((one) => holds(one, labels)) && matchFields.every((one) => holds(one, fields))
}

export function isEmptyTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): boolean {
  return matchExpressions.length === 0 && matchFields.length === 0
}

/** Both of what the pod demands: every label of nodeSelector, and one term of its required node affinity. */
export function matchesPodNodeAffinity(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  const demanded = Object.entries(pod.spec.nodeSelector ?? {})
  if (!demanded.every(([key, value]) => labels[key] === value)) return false
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || matchesNodeSelector(required, node)
}

const operators: Record<string, Operator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
}

function holds(
  { key, operator, values = [] }: NodeSelectorRequirement,
  labels: Readonly<Record<string, string>>,
): boolean {
  const known = operators[operator]
  // The API server validates operators; one that we do not know cannot be satisfied.
  return known !== undefined && matchesRequirement({ key, operator: known, values }, labels)
}
