/**
 * TaintToleration: keeps pods off nodes whose taints they do not tolerate, and prefers nodes with few taints that
 * only ask not to be used (PreferNoSchedule).
 */

import { untoleratedTaints } from '@dinghy/shared/api/taints'
import { nodeIn, normalizeByMax, unresolvable, type Plugin } from '../framework.ts'

const hard = ['NoSchedule', 'NoExecute']

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,

  preFilter: (pod) => (info) => {
    const [taint] = untoleratedTaints(info.node, pod.spec.tolerations, hard)
    return taint && unresolvable(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`)
  },

  preScore: (pod) => ({
    score: (info) => untoleratedTaints(info.node, pod.spec.tolerations, ['PreferNoSchedule']).length,
    normalize: (scores) => normalizeByMax(scores, { reverse: true }),
  }),

  isHelpedBy(event, pod) {
    const node = nodeIn(event)
    return node !== undefined && untoleratedTaints(node, pod.spec.tolerations, hard).length === 0
  },
}
