/**
 * NodeName: a pod that names its node goes there or nowhere.
 */

import { nodeIn, unresolvable, type Plugin } from '../framework.ts'
import { nameOf } from '../snapshot.ts'

export const nodeName: Plugin = {
  name: 'NodeName',

  preFilter({ spec: { nodeName: wanted } }) {
    if (!wanted) return undefined
    return (info) =>
      nameOf(info) === wanted ? undefined : unresolvable("node(s) didn't match the requested node name")
  },

  isHelpedBy: (event, pod) => nodeIn(event)?.metadata.name === pod.spec.nodeName,
}
