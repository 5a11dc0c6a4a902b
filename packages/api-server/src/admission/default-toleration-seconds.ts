/**
 * DefaultTolerationSeconds: how long a pod stays on a node that went away, unless the pod says otherwise. Upstream:
 * five minutes; a flag of the server shortens it, so that one can watch a cluster heal.
 */

import type { Pod, Toleration } from '@dinghy/shared/api/types'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

export function defaultTolerationSeconds(seconds: number): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const { spec } = request.object as Pod
      const tolerations = spec.tolerations ?? []
      const missing = taints.filter((taint) => !tolerations.some((one) => toleratesNoExecute(one, taint)))
      const added = missing.map((key) => ({
        key,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: seconds,
      }))
      if (added.length > 0) spec.tolerations = [...tolerations, ...added]
    },
  }
}

function toleratesNoExecute({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === 'NoExecute')
}
