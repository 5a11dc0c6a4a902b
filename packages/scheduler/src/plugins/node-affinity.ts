/**
 * NodeAffinity: the pod's own wishes about the node: nodeSelector and required affinity must hold, each preferred term
 * that holds adds its weight. A profile may add an affinity that all of its pods have besides their own.
 */

import { isEmptyTerm, matchesNodeAffinity, matchesNodeSelector, matchesTerm } from '@dinghy/shared/api/node-selector'
import type { NodeAffinity } from '@dinghy/shared/api/types'
import { nodeIn, normalizeByMax, unresolvable, type Plugin } from '../framework.ts'

export function nodeAffinity({ addedAffinity }: { addedAffinity?: NodeAffinity } = {}): Plugin {
  const added = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const alsoPreferred = addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return {
    name: 'NodeAffinity',
    weight: 2,

    preFilter(pod) {
      if (!added && !pod.spec.nodeSelector && !pod.spec.affinity?.nodeAffinity) return undefined
      return ({ node }) => {
        if (added && !matchesNodeSelector(added, node)) {
          return unresolvable("node(s) didn't match scheduler-enforced node affinity")
        }
        if (matchesNodeAffinity(pod.spec, node)) return undefined
        return unresolvable("node(s) didn't match Pod's node affinity/selector")
      }
    },

    preScore(pod) {
      const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
      const terms = [...alsoPreferred, ...preferred].filter(({ preference }) => !isEmptyTerm(preference))
      if (terms.length === 0) return undefined
      return {
        score: ({ node }) =>
          terms.reduce((sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0), 0),
        normalize: (scores) => normalizeByMax(scores),
      }
    },

    isHelpedBy(event, pod) {
      const node = nodeIn(event)
      if (node === undefined || (added && !matchesNodeSelector(added, node))) return false
      return matchesNodeAffinity(pod.spec, node)
    },
  }
}
