/**
 * The small doors into a pod that exists: ephemeralcontainers, resize and status. Each lets one part through and puts
 * the rest back as it was.
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isIpAddress, isQualifiedName } from '@dinghy/shared/api/names'
import type { Container, Pod, PodSpec, PodStatus } from '@dinghy/shared/api/types'
import type { ContainerStatus } from 'kubernetes-types/core/v1.js'
import { named, unchanged } from './checks.ts'
import { isMirror, validateAnnotationUpdate } from './pod-spec/annotations.ts'
import { validateSpecOfPod } from './pod-spec/pod-spec.ts'
import { validateResize } from './pod-spec/resources.ts'
import { annotationsPath } from './pod-update.ts'
import { qosClass } from './qos.ts'

/** Through pods/ephemeralcontainers only the list of ephemeral containers changes, and it only grows. */
export const ephemeralContainersStrategy = {
  prepareForUpdate(next: Pod, previous: Pod): void {
    const { ephemeralContainers } = next.spec
    next.spec = structuredClone(previous.spec)
    next.status = structuredClone(previous.status)
    if (ephemeralContainers) next.spec.ephemeralContainers = ephemeralContainers
  },

  validateUpdate(next: Pod, previous: Pod): FieldError[] {
    if (isMirror(previous.metadata.annotations)) {
      return [forbidden('', 'static pods do not support ephemeral containers')]
    }
    const path = 'spec.ephemeralContainers'
    const now = new Map((next.spec.ephemeralContainers ?? []).map((container) => [container.name, container]))
    const errors = (previous.spec.ephemeralContainers ?? []).flatMap((old) => {
      const name = JSON.stringify(old.name)
      const container = now.get(old.name)
      if (!container) return [forbidden(path, `existing ephemeral containers ${name} may not be removed\n`)]
      if (isDeepStrictEqual(container, old)) return []
      return [forbidden(path, `existing ephemeral containers ${name} may not be changed\n`)]
    })
    return [...validateSpecOfPod(next.spec, next.metadata.name), ...errors]
  },
}

type Resizable = Pick<Container, 'resources' | 'resizePolicy'>

/** Through pods/resize only requests, limits and the resize policy of containers change. */
export const resizeStrategy = {
  prepareForUpdate(next: Pod, previous: Pod): void {
    const asked = next.spec
    next.spec = structuredClone(previous.spec)
    next.status = structuredClone(previous.status)
    for (const field of ['containers', 'initContainers'] as const) {
      const wishes = new Map((asked[field] ?? []).map((container) => [container.name, container]))
      for (const container of next.spec[field] ?? []) {
        const wish: Resizable = wishes.get(container.name) ?? {}
        if (wish.resources) container.resources = wish.resources
        if (wish.resizePolicy) container.resizePolicy = wish.resizePolicy
      }
    }
  },

  validateUpdate(next: Pod, previous: Pod): FieldError[] {
    if (isMirror(previous.metadata.annotations)) return [forbidden('', 'static pods cannot be resized')]
    if (previous.spec.os?.name === 'windows') return [forbidden('', 'windows pods cannot be resized')]
    const errors = validateSpecOfPod(next.spec, next.metadata.name)
    if ((previous.status.qosClass ?? qosClass(previous.spec)) !== qosClass(next.spec)) {
      const detail = 'Pod QOS Class may not change as a result of resizing'
      errors.push(invalid('spec', previous.status.qosClass, detail))
    }
    errors.push(...eachResized(next.spec, previous.spec))
    return [...errors, ...onlyCpuAndMemory(next.spec, previous.spec)]
  },
}

function eachResized(next: PodSpec, previous: PodSpec): FieldError[] {
  return (['initContainers', 'containers'] as const).flatMap((field) =>
    (next[field] ?? []).flatMap((container, i) => {
      const old = previous[field]?.[i]
      if (!old || (field === 'initContainers' && old.restartPolicy !== 'Always')) return []
      return validateResize(container, old, `spec.${field}[${i}].resources`)
    }),
  )
}

/** What else a container asks for is fixed, and so is everything of an init container that is no sidecar. */
function onlyCpuAndMemory(next: PodSpec, previous: PodSpec): FieldError[] {
  const fixed = ({ resources = {} }: Container) =>
    (['requests', 'limits'] as const).map((field) =>
      Object.entries(resources[field] ?? {}).filter(([resource]) => resource !== 'cpu' && resource !== 'memory'),
    )
  const ofContainers = next.containers.flatMap((container, i) => {
    const old = previous.containers[i]
    if (!old || isDeepStrictEqual(fixed(container), fixed(old))) return []
    return [forbidden('spec', 'only cpu and memory resources are mutable')]
  })
  const ofInitContainers = (next.initContainers ?? []).flatMap((container, i) => {
    const old = previous.initContainers?.[i]
    if (!old) return []
    if (container.restartPolicy !== 'Always') {
      const detail = 'resources for non-sidecar init containers are immutable'
      return isDeepStrictEqual(container, old) ? [] : [forbidden('spec', detail)]
    }
    const detail = 'only cpu and memory resources for sidecar containers are mutable'
    return isDeepStrictEqual(fixed(container), fixed(old)) ? [] : [forbidden('spec', detail)]
  })
  return [...ofContainers, ...ofInitContainers]
}

// ---- status

/** Who does not say the quality of service leaves it as it is. */
export function preparePodStatus({ status }: Pod, { status: before }: Pod): void {
  if (!status.qosClass && before.qosClass) status.qosClass = before.qosClass
}

const systemConditions = ['PodScheduled', 'Ready', 'Initialized']

/** What does not happen to a pod: a container that has ended for good and runs again, another quality of service. */
export function validatePodStatus(next: Pod, previous: Pod): FieldError[] {
  const { status } = next
  const errors = validateAnnotationUpdate(next.metadata.annotations, previous.metadata.annotations, annotationsPath)
  for (const [i, { type }] of (status.conditions ?? []).entries()) {
    if (systemConditions.includes(type)) continue
    errors.push(...named(`metadata.conditions[${i}].Type`, type, isQualifiedName(type ?? ''))) // upstream's path
  }
  const nominated = status.nominatedNodeName
  if (nominated && nominated !== previous.status.nominatedNodeName) {
    errors.push(...named('status.nominatedNodeName', nominated, isDns1123Subdomain(nominated)))
  }
  errors.push(...unchanged('status.qosClass', status.qosClass, previous.status.qosClass))
  errors.push(...staysEnded(status, previous))
  for (const [field, addresses] of Object.entries({ podIPs: status.podIPs, hostIPs: status.hostIPs })) {
    for (const [i, { ip = '' }] of (addresses ?? []).entries()) {
      errors.push(...named(`status.${field}[${i}]`, ip, isIpAddress(ip)))
    }
  }
  const first = status.hostIPs?.[0]?.ip
  if (first === undefined || first === status.hostIP) return errors
  return [...errors, invalid('status.hostIPs[0].ip', first, 'must be equal to `hostIP`')]
}

function staysEnded(status: PodStatus, { spec, status: before }: Pod): FieldError[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  const isSidecar = ({ name }: ContainerStatus) => sidecars.some((sidecar) => sidecar.name === name)
  const never = 'Never' // ephemeral containers are never restarted, whatever the pod says
  return [
    ...endedFor('containerStatuses', spec.restartPolicy, () => false),
    ...endedFor('initContainerStatuses', spec.restartPolicy, isSidecar),
    ...endedFor('ephemeralContainerStatuses', never, () => false),
  ]

  function endedFor(
    field: 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses',
    restartPolicy: string | undefined,
    mayRestart: (container: ContainerStatus) => boolean,
  ): FieldError[] {
    if (restartPolicy === 'Always') return []
    return (before[field] ?? []).flatMap((old, i) => {
      const ended = old.state?.terminated
      if (!ended || mayRestart(old) || (ended.exitCode !== 0 && restartPolicy === 'OnFailure')) return []
      const now = status[field]?.find(({ name }) => name === old.name)
      if (!now || now.state?.terminated) return []
      return [forbidden(`status.${field}[${i}].state`, 'may not be transitioned to non-terminated state')]
    })
  }
}
