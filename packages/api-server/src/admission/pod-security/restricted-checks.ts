/**
 * The checks that the level "restricted" has besides those of "baseline": what a hardened pod says about itself.
 * Follows pod-security-admission/policy/check_*.go, one function a file of that, in its words. Pods of Windows are
 * asked for less since 1.25.
 */

import { isAllowedSeccomp, seccompProfile as seccompThatIsSet } from './baseline-checks.ts'
import {
  type Check,
  type CheckedPod,
  containerList,
  containersOf,
  distinct,
  isWindows,
  plural,
  quoted,
  setters,
  type Violation,
} from './check.ts'

export const restrictedChecks: Check[] = [
  { id: 'allowPrivilegeEscalation', since: 8, run: unlessWindows(allowPrivilegeEscalation) },
  { id: 'capabilities_restricted', since: 22, run: unlessWindows(capabilities) },
  { id: 'restrictedVolumes', since: 0, run: restrictedVolumes },
  { id: 'runAsNonRoot', since: 0, run: runAsNonRoot },
  { id: 'runAsUser', since: 23, run: runAsUser },
  { id: 'seccompProfile_restricted', since: 19, run: unlessWindows(seccompProfile) },
]

function unlessWindows(run: (pod: CheckedPod) => Violation | undefined): Check['run'] {
  return (pod, minor) => (minor >= 25 && isWindows(pod.spec) ? undefined : run(pod))
}

function allowPrivilegeEscalation({ spec }: CheckedPod): Violation | undefined {
  const bad = containersOf(spec).filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false)
  const who = containerList(bad)
  return who
    ? {
        reason: 'allowPrivilegeEscalation != false',
        detail: `${who} must set securityContext.allowPrivilegeEscalation=false`,
      }
    : undefined
}

function capabilities({ spec }: CheckedPod): Violation | undefined {
  const all = containersOf(spec)
  const keeping = all.filter(({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'))
  const added = ({ securityContext }: (typeof all)[number]) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE')
  const adding = all.filter((container) => added(container).length > 0)
  const details = [
    ...(keeping.length > 0 ? [`${containerList(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [
          `${containerList(adding)} must not include ${quoted(distinct(adding.flatMap(added)))} in securityContext.capabilities.add`,
        ]
      : []),
  ]
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined
}

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]

function restrictedVolumes({ spec }: CheckedPod): Violation | undefined {
  const kindOf = (volume: object) => Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
  const bad = (spec.volumes ?? []).filter((volume) => !allowedVolumes.includes(kindOf(volume)))
  if (bad.length === 0) return undefined
  const kinds = distinct(bad.map(kindOf))
  const names = `${plural('volume', bad.length)} ${quoted(bad.map(({ name }) => name))}`
  const verb = plural('uses', bad.length, 'use')
  return {
    reason: 'restricted volume types',
    detail: `${names} ${verb} ${plural('restricted volume type', kinds.length)} ${quoted(kinds)}`,
  }
}

function runAsNonRoot({ spec }: CheckedPod): Violation | undefined {
  const reason = 'runAsNonRoot != true'
  const ofPod = spec.securityContext?.runAsNonRoot
  const all = containersOf(spec)
  const explicit = setters(
    ofPod === false,
    all.filter(({ securityContext }) => securityContext?.runAsNonRoot === false),
  )
  if (explicit) return { reason, detail: `${explicit} must not set securityContext.runAsNonRoot=false` }
  const silent = all.filter(({ securityContext }) => securityContext?.runAsNonRoot === undefined)
  if (ofPod || silent.length === 0) return undefined
  return { reason, detail: `pod or ${containerList(silent)} must set securityContext.runAsNonRoot=true` }
}

function runAsUser({ spec }: CheckedPod): Violation | undefined {
  const who = setters(
    spec.securityContext?.runAsUser === 0,
    containersOf(spec).filter(({ securityContext }) => securityContext?.runAsUser === 0),
  )
  return who ? { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` } : undefined
}

function seccompProfile(pod: CheckedPod): Violation | undefined {
  const explicit = seccompThatIsSet(pod)
  if (explicit) return explicit
  const { spec } = pod
  const silent = containersOf(spec).filter(({ securityContext }) => !securityContext?.seccompProfile)
  if (isAllowedSeccomp(spec.securityContext?.seccompProfile?.type) || silent.length === 0) return undefined
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containerList(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  }
}
