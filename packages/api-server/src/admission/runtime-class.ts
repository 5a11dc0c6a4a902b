/**
 * RuntimeClass: a pod that names one must name one that is there, and gets what it says: the overhead that its
 * sandboxes cost and the nodes that have it. Follows upstream's plugin/pkg/admission/runtimeclass.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { isDeepStrictEqual } from 'node:util'
import { forbidden } from '@dinghy/shared/api/errors'
import { RuntimeClasses } from '@dinghy/shared/api/resources'
import type { Pod, RuntimeClass } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

export function runtimeClass(reader: Reader): AdmissionPlugin {
  const classOf = ({ metadata, spec }: Pod): RuntimeClass | undefined => {
    const name = spec?.runtimeClassName
    if (!name) return undefined
    const found = reader.get(RuntimeClasses, undefined, name)
    if (!found) throw rejected(metadata.name, `RuntimeClass ${JSON.stringify(name)} not found`)
    return found
  }
  return {
    name: 'RuntimeClass',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const pod = request.object as Pod
      const found = classOf(pod)
      if (!found) return
      const { overhead, scheduling } = found
      if (overhead?.podFixed) {
        pod.spec.overhead ??= { ...overhead.podFixed }
        if (!isDeepStrictEqual({ ...pod.spec.overhead }, overhead.podFixed)) {
          throw rejected(pod.metadata.name, "pod's Overhead doesn't match RuntimeClass's defined Overhead")
        }
      }
      for (const [label, value] of Object.entries(scheduling?.nodeSelector ?? {})) {
        const selector = (pod.spec.nodeSelector ??= {})
        if ((ownValue(selector, label) ?? value) !== value) {
          throw rejected(
            pod.metadata.name,
            `conflict: runtimeClass.scheduling.nodeSelector[${label}] = ${value}; pod.spec.nodeSelector[${label}] = ${ownValue(selector, label)}`,
          )
        }
        selector[label] = value
      }
      const tolerations = pod.spec.tolerations ?? []
      const missing = (scheduling?.tolerations ?? []).filter(
        (one) => !tolerations.some((other) => isDeepStrictEqual(one, other)),
      )
      if (missing.length > 0) pod.spec.tolerations = [...tolerations, ...missing]
    },
    validate(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const pod = request.object as Pod
      if (!pod.spec.overhead || classOf(pod)?.overhead?.podFixed) return
      throw rejected(pod.metadata.name, 'Pod Overhead set without corresponding RuntimeClass defined Overhead')
    },
  }
}

function rejected(pod: string, why: string) {
  return forbidden('', 'pods', pod, `pod rejected: ${why}`)
}
