/**
 * Priority: turns a pod's priorityClassName into the number that the scheduler compares.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { PriorityClasses } from '@dinghy/shared/api/resources'
import type { Pod, PriorityClass } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const defaultPriority = 0

export function priority(reader: Reader): AdmissionPlugin {
  return {
    name: 'Priority',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const pod = request.object as Pod
      const { spec } = pod
      const refuse = (message: string) => forbidden('', 'pods', pod.metadata.name ?? '', message)
      const named = spec.priorityClassName ? reader.get(PriorityClasses, undefined, spec.priorityClassName) : undefined
      if (spec.priorityClassName && !named) {
        throw refuse(`no PriorityClass with name ${spec.priorityClassName} was found`)
      }
      const chosen = named ?? globalDefault(reader.list(PriorityClasses))
      const value = chosen?.value ?? defaultPriority
      if (spec.priority !== undefined && spec.priority !== value) {
        const computed = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`
        throw refuse(computed)
      }
      spec.priority = value
      if (chosen) spec.priorityClassName = chosen.metadata.name
      const policy = chosen?.preemptionPolicy ?? 'PreemptLowerPriority'
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        const computed = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`
        throw refuse(computed)
      }
      spec.preemptionPolicy = policy
    },
    validate(request) {
      if (request.operation === 'DELETE' || !isAbout(request, 'scheduling.k8s.io', 'priorityclasses')) return
      const next = request.object as PriorityClass
      if (!next.globalDefault) return
      const other = reader
        .list(PriorityClasses)
        .find((one) => one.globalDefault && one.metadata.name !== next.metadata.name)
      if (!other) return
      const message = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`
      throw forbidden('scheduling.k8s.io', 'priorityclasses', next.metadata.name, message)
    },
  }
}

/** The default that pods without a class get; if there are several, the lowest. */
function globalDefault(classes: PriorityClass[]): PriorityClass | undefined {
  return classes.filter((one) => one.globalDefault).sort((a, b) => a.value - b.value)[0]
}
