/** Taints and tolerations: a node repels pods, and a pod may bear it. Pure. Follows core/v1's ToleratesTaint. */

import type { Node, Taint, Toleration } from './types.ts'

/** An empty key tolerates every key, an empty effect every effect; Equal is the default operator. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key, operator = 'Equal', value = '', effect } = toleration
  if (effect && effect !== taint.effect) return false
  if (key && key !== taint.key) return false
  return operator === 'Exists' || (operator === 'Equal' && value === (taint.value ?? ''))
}

/** The node's taints with one of these effects that none of the tolerations bears. */
export function untoleratedTaints(
  node: Node,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint[] {
  const taints = (node.spec.taints ?? []).filter((taint) => effects.includes(taint.effect))
  return taints.filter((taint) => !(tolerations ?? []).some((one) => tolerates(one, taint)))
}
