/**
 * Annotations that mean something for pods: old names of the security profiles, which must not contradict the fields
 * that have taken their place, and the cost of deleting a pod.
 */

import { forbidden, invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Container, PodSpec } from '@dinghy/shared/api/types'
import { descendingPath, named } from '../checks.ts'

type Annotations = Record<string, string> | undefined

const mirror = 'kubernetes.io/config.mirror'
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
const seccompOfPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompPrefix = 'container.seccomp.security.alpha.kubernetes.io/'
const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/'

/** `path` is that of the annotations. */
export function validatePodAnnotations(annotations: Annotations, spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set(allContainers(spec).map(([, { name }]) => name))
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const at = `${path}[${key}]`
    if (key === mirror && !spec.nodeName) {
      errors.push(invalid(at, value, 'must set spec.nodeName if mirror pod annotation is set'))
    }
    if (key === deletionCost && !isInt32(value)) errors.push(invalid(at, value, 'must be a 32bit integer'))
    if (key === seccompOfPod || key.startsWith(seccompPrefix)) {
      errors.push(...validateSeccomp(value, `${path}.${key}`))
    }
    if (!key.startsWith(appArmorPrefix)) continue
    const name = key.slice(appArmorPrefix.length)
    if (!names.has(name)) errors.push(invalid(at, name, 'container not found'))
    const isKnown = ['', 'runtime/default', 'unconfined'].includes(value) || value.startsWith('localhost/')
    errors.push(...named(at, value, isKnown ? [] : [`invalid AppArmor profile name: ${JSON.stringify(value)}`]))
  }
  return errors
}

/** Written as Go would write it: no sign of plus, no zeros in front. */
function isInt32(text: string): boolean {
  const value = Number(text)
  return /^(0|-\d+|[1-9]\d*)$/.test(text) && value >= -(2 ** 31) && value < 2 ** 31
}

function validateSeccomp(profile: string, path: string): FieldError[] {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return []
  if (profile.startsWith('localhost/')) return descendingPath(path, profile.slice('localhost/'.length))
  return [invalid(path, profile, 'must be a valid seccomp profile')]
}

interface Profile {
  type?: string
  localhostProfile?: string
}

/** Where a profile is said both ways, both must say the same. `path` is that of the spec. */
export function validateProfileAnnotations(annotations: Annotations, spec: PodSpec, path: string): FieldError[] {
  const said = new Map(Object.entries(annotations ?? {}))
  const { seccompProfile, appArmorProfile } = spec.securityContext ?? {}
  const errors = contradiction(
    'seccomp',
    said.get(seccompOfPod),
    seccompProfile,
    `${path}.securityContext.seccompProfile`,
  )
  for (const [at, { name, securityContext }] of allContainers(spec)) {
    const own = `${path}.${at}.securityContext`
    const seccomp = securityContext?.seccompProfile
    errors.push(...contradiction('seccomp', said.get(seccompPrefix + name), seccomp, `${own}.seccompProfile`))
    if (spec.os?.name === 'windows') continue
    const appArmor = securityContext?.appArmorProfile ?? appArmorProfile
    errors.push(...contradiction('apparmor', said.get(appArmorPrefix + name), appArmor, `${own}.appArmorProfile`))
  }
  return errors
}

function contradiction(
  what: 'seccomp' | 'apparmor',
  said: string | undefined,
  profile: Profile | undefined,
  path: string,
): FieldError[] {
  if (said === undefined || !profile) return []
  const differs = forbidden(`${path}.type`, `${what} type in annotation and field must match`)
  if (profile.type === 'Unconfined') return said === 'unconfined' ? [] : [differs]
  if (profile.type === 'RuntimeDefault') {
    const isSame = said === 'runtime/default' || (what === 'seccomp' && said === 'docker/default')
    return isSame ? [] : [differs]
  }
  if (profile.type !== 'Localhost') return []
  if (!said.startsWith('localhost/')) return [differs]
  if (said === `localhost/${profile.localhostProfile}`) return []
  return [forbidden(`${path}.localhostProfile`, `${what} profile in annotation and field must match`)]
}

/** Neither kind may be changed once the pod is there. `path` is that of the annotations. */
export function validateAnnotationUpdate(next: Annotations, previous: Annotations, path: string): FieldError[] {
  const [now, before] = [new Map(Object.entries(next ?? {})), new Map(Object.entries(previous ?? {}))]
  const kindOf = (key: string) =>
    key === mirror ? 'mirror pod annotation' : key.startsWith(appArmorPrefix) ? 'AppArmor annotations' : undefined
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((key) => {
    const kind = kindOf(key)
    if (kind === undefined || now.get(key) === before.get(key)) return []
    return [forbidden(`${path}[${key}]`, `may not ${before.has(key) ? 'remove or update' : 'add'} ${kind}`)]
  })
}

/** A pod that a kubelet has from a file, and only shows here. */
export function isMirror(annotations: Annotations): boolean {
  return annotations !== undefined && Object.hasOwn(annotations, mirror)
}

function allContainers(spec: PodSpec): [path: string, container: Pick<Container, 'name' | 'securityContext'>][] {
  return Object.entries({
    initContainers: spec.initContainers,
    containers: spec.containers,
    ephemeralContainers: spec.ephemeralContainers,
  }).flatMap(([field, list]) =>
    (list ?? []).map((container, i): [string, Pick<Container, 'name' | 'securityContext'>] => [
      `${field}[${i}]`,
      container,
    ]),
  )
}
