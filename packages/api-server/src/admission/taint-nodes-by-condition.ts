/**
 * TaintNodesByCondition: a node is born with the taint of one that is not ready, so that no pod goes there before the
 * node lifecycle controller has seen how the node is.
 */

import type { Node } from '@dinghy/shared/api/types'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'nodes')) return
      const node = request.object as Node
      const taints = node.spec?.taints ?? []
      if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return
      node.spec = { ...node.spec, taints: [...taints, notReady] }
    },
  }
}
