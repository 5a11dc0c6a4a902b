// Taints and tolerations: a node repels pods, and a pod may bear it.

import type { Node, Pod, Taint, Toleration } from '@dinghy/shared/api/types'

/** An empty key tolerates every key, an empty effect every effect; Equal is the default operator. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
}

/** The first taint with one of these effects that the pod does not tolerate. */
export function untoleratedTaint(node: Node, pod: Pod, effects: readonly string[]): Taint | undefined {
  return untoleratedTaints(node, pod.spec.tolerations ?? [], effects)[0]
}

export function untoleratedTaints(node: Node, tolerations: readonly Toleration[], effects: readonly string[]): Taint[] {
  const taints = (node.spec.taints ?? []).filter((taint) => effects.includes(taint.effect))
  return taints.filter((taint) => !tolerations.some((one) => tolerates(one, taint)))
}
