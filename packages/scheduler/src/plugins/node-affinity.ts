/**
 * NodeAffinity: the pod's own wishes about the node: nodeSelector and required affinity must hold, each preferred term
 * that holds adds its weight.
 */

import { isEmptyTerm, matchesNodeAffinity, matchesTerm } from '@dinghy/shared/api/node-selector'
import { nodeIn, normalizeByMax, unresolvable, type Plugin } from '../framework.ts'

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,

  preFilter(pod) {
    if (!pod.spec.nodeSelector && !pod.spec.affinity?.nodeAffinity) return undefined
    return ({ node }) =>
      matchesNodeAffinity(pod.spec, node)
        ? undefined
        : unresolvable("node(s) didn't match Pod's node affinity/selector")
  },

  preScore(pod) {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const terms = preferred.filter(({ preference }) => !isEmptyTerm(preference))
    if (terms.length === 0) return undefined
    return {
      score: ({ node }) =>
        terms.reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0),
      normalize: (scores) => normalizeByMax(scores),
    }
  },

  isHelpedBy(event, pod) {
    const node = nodeIn(event)
    return node !== undefined && matchesNodeAffinity(pod.spec, node)
  },
}
