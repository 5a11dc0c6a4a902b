/**
 * Node selectors: the terms by which a pod (spec.affinity, spec.nodeSelector) or a volume says which nodes will do.
 * Pure. Asked by the scheduler, the DaemonSet controller and the node itself. Terms are alternatives; within one term
 * everything must hold; a term without any requirement matches no node. Follows
 * component-helpers/scheduling/corev1/nodeaffinity.
 */

import { ownValue } from './own-value.ts'
import { matchesRequirement, type Operator } from './selectors.ts'
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from './types.ts'

type Labels = Readonly<Record<string, string>>

/** As much of a Node as can be selected by. */
export interface SelectableNode {
  metadata: { name: string; labels?: Labels }
}

/** Both of what a pod demands: every label of nodeSelector, and one term of its required node affinity. */
export function matchesNodeAffinity(spec: PodSpec, node: SelectableNode): boolean {
  const labels = node.metadata.labels ?? {}
  const demanded = Object.entries(spec.nodeSelector ?? {})
  if (!demanded.every(([key, value]) => ownValue(labels, key) === value)) return false
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || matchesNodeSelector(required, node)
}

export function matchesNodeSelector(selector: NodeSelector, node: SelectableNode): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

export function matchesTerm(term: NodeSelectorTerm, { metadata }: SelectableNode): boolean {
  if (isEmptyTerm(term)) return false
  const { matchExpressions = [], matchFields = [] } = term
  const labels = metadata.labels ?? {}
  // metadata.name is the only field there is.
  const fields = { 'metadata.name': metadata.name }
  return matchExpressions.every((one) => holds(one, labels)) && matchFields.every((one) => holds(one, fields))
}

export function isEmptyTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): boolean {
  return matchExpressions.length === 0 && matchFields.length === 0
}

const operators: Record<string, Operator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
}

function holds({ key, operator, values = [] }: NodeSelectorRequirement, labels: Labels): boolean {
  const known = operators[operator]
  // The API server validates operators; one that we do not know cannot be satisfied.
  return known !== undefined && matchesRequirement({ key, operator: known, values }, labels)
}
