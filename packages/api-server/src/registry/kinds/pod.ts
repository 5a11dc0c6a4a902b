/**
 * Pods. What they mean where they say nothing, what they must not say, how they end.
 */

import { forbidden, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Pod, PodSpec, PodTemplate } from '@dinghy/shared/api/types'
import { without } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { defaultPod, defaultPodTemplate } from './pod-spec/defaults.ts'
import { validatePodAnnotations, validateProfileAnnotations } from './pod-spec/annotations.ts'
import { applyLabelKeys } from './pod-spec/label-keys.ts'
import { validatePodTemplate, validateSpecOfPod } from './pod-spec/pod-spec.ts'
import { nameWarnings, podWarnings } from './pod-spec/warnings.ts'
import { ephemeralContainersStrategy, preparePodStatus, resizeStrategy, validatePodStatus } from './pod-subresources.ts'
import { validatePodUpdate } from './pod-update.ts'
import { qosClass } from './qos.ts'

export const pods: KindRules<Pod> = {
  strategy: {
    defaults: ({ spec }) => {
      if (spec) defaultPod(spec)
    },
    prepareForCreate(pod) {
      applyLabelKeys(pod)
      pod.status = {
        phase: 'Pending',
        qosClass: qosClass(pod.spec),
        ...(isGated(pod) ? { conditions: [{ ...gated }] } : {}),
      }
    },
    // Being bound to a node is not the author changing their mind.
    generationOf: ({ spec }) => without(spec ?? {}, 'nodeName'),
    validate: ({ metadata, spec }) => [
      ...validatePodAnnotations(metadata.annotations, spec ?? {}, 'metadata.annotations'),
      ...validateSpecOfPod(spec ?? {}, metadata.name),
    ],
    validateCreate: (pod) => [
      // They come through a subresource of their own, when the pod is there.
      ...(pod.spec?.ephemeralContainers?.length
        ? [forbidden('spec.ephemeralContainers', 'cannot be set on create')]
        : []),
      ...unboundWhileGated(pod),
      ...validateProfileAnnotations(pod.metadata.annotations, pod.spec ?? {}, 'spec'),
    ],
    validateUpdate: validatePodUpdate,
    prepareForStatusUpdate: preparePodStatus,
    validateStatusUpdate: validatePodStatus,
    // Not of updates: people seldom make them.
    warnings: (pod, previous) =>
      previous ? [] : [...nameWarnings(pod.metadata.name, previous, "the Pod's hostname"), ...podWarnings(pod, '')],
    gracefulDelete,
    subresources: { ephemeralcontainers: ephemeralContainersStrategy, resize: resizeStrategy },
  },
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec.nodeName,
    'spec.restartPolicy': ({ spec }) => spec.restartPolicy,
    'spec.schedulerName': ({ spec }) => spec.schedulerName,
    'spec.serviceAccountName': ({ spec }) => spec.serviceAccountName,
    'spec.hostNetwork': ({ spec }) => String(spec.hostNetwork ?? false),
    'status.phase': ({ status }) => status.phase,
    'status.podIP': ({ status }) => status.podIP,
    'status.nominatedNodeName': ({ status }) => status.nominatedNodeName,
  },
}

/** The scheduler does not even look at a gated pod, so that it is said here why it waits. */
const gated = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
}

function unboundWhileGated(pod: Pod): FieldError[] {
  if (!pod.spec?.nodeName || !isGated(pod)) return []
  return [forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared')]
}

function isGated({ spec }: Partial<Pod>): boolean {
  return (spec?.schedulingGates ?? []).length > 0
}

export const podTemplates: KindRules<PodTemplate> = {
  strategy: {
    defaults: ({ template }) => defaultPodTemplate(template),
    generationOf: ({ template }) => template,
    validate: ({ template }) => validatePodTemplate(template, 'template'),
    warnings: ({ template }) => podWarnings(template, 'template'),
  },
}

const defaultGraceSeconds = 30

/** A pod that never reached a node, or has come to its end, has nobody who would need time to stop it. */
function gracefulDelete({ spec, status }: Pod, requestedSeconds: number | undefined): number {
  const seconds = requestedSeconds ?? gracePeriod(spec)
  if (!spec.nodeName || status.phase === 'Failed' || status.phase === 'Succeeded') return 0
  return seconds < 0 ? 1 : seconds
}

function gracePeriod(spec: PodSpec): number {
  return spec.terminationGracePeriodSeconds ?? defaultGraceSeconds
}
