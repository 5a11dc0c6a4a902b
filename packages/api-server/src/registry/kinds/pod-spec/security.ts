/**
 * Security contexts, of a pod and of a container, and what only Linux or only Windows has.
 */

import { duplicate, forbidden, invalid, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import type { PodSecurityContext, PodSpec, SecurityContext } from '@dinghy/shared/api/types'
import { between, descendingPath, oneOf, requiredOneOf } from '../checks.ts'

const maxId = 2147483647

export function validatePodSecurity(spec: PodSpec, path: string): FieldError[] {
  const context: PodSecurityContext & { supplementalGroupsPolicy?: string; seLinuxChangePolicy?: string } =
    spec.securityContext ?? {}
  const at = `${path}.securityContext`
  const errors = (['fsGroup', 'runAsUser', 'runAsGroup'] as const).flatMap((field) =>
    between(`${at}.${field}`, context[field], 0, maxId),
  )
  for (const [i, group] of (context.supplementalGroups ?? []).entries()) {
    errors.push(...between(`${at}.supplementalGroups[${i}]`, group, 0, maxId))
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const message = 'ShareProcessNamespace and HostPID cannot both be enabled'
    errors.push(invalid(`${at}.shareProcessNamespace`, true, message))
  }
  errors.push(...validateSysctls(spec, `${at}.sysctls`))
  errors.push(...oneOf(`${at}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ['Always', 'OnRootMismatch']))
  errors.push(...validateSeccomp(context.seccompProfile, `${at}.seccompProfile`))
  errors.push(...validateAppArmor(context.appArmorProfile, `${at}.appArmorProfile`))
  errors.push(...oneOf(`${at}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ['Merge', 'Strict']))
  return [...errors, ...oneOf(`${at}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ['MountOption', 'Recursive'])]
}

/** A pod whose users are not the host's shares nothing else with the host. The odd capitals are upstream's. */
export function validateHostUsers(spec: PodSpec, path: string): FieldError[] {
  if (spec.hostUsers ?? true) return []
  return Object.entries({ hostNetwork: spec.hostNetwork, HostPID: spec.hostPID, HostIPC: spec.hostIPC })
    .filter(([, isShared]) => isShared)
    .map(([field]) => forbidden(`${path}.${field}`, 'when `pod.Spec.HostUsers` is false'))
}

const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlWords = sysctl.source.replace('[./]', String.raw`[\./]`) // as upstream writes it
const ipcSysctls = /^(kernel\.(shm.*|msg.*|sem)|fs\.mqueue\..*)$/

function validateSysctls({ securityContext, hostNetwork, hostIPC }: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>()
  return (securityContext?.sysctls ?? []).flatMap(({ name }, i) => {
    const at = `${path}[${i}].name`
    const errors: FieldError[] = []
    if (!name) errors.push(required(at))
    else if (name.length > 253 || !sysctl.test(name)) {
      errors.push(invalid(at, name, `must have at most 253 characters and match regex ${sysctlWords}`))
    } else if (seen.has(name)) errors.push(duplicate(at, name))
    seen.add(name)
    const dotted = (name ?? '').replaceAll('/', '.')
    if (hostNetwork && dotted.startsWith('net.')) {
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
    } else if (hostIPC && ipcSysctls.test(dotted)) {
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"))
    }
    return errors
  })
}

export function validateContainerSecurity(
  context: SecurityContext | undefined,
  hostUsers: boolean,
  path: string,
): FieldError[] {
  if (!context) return []
  const errors = [
    ...between(`${path}.runAsUser`, context.runAsUser, 0, maxId),
    ...between(`${path}.runAsGroup`, context.runAsGroup, 0, maxId),
    ...oneOf(`${path}.procMount`, context.procMount, ['Default', 'Unmasked']),
  ]
  if (hostUsers && context.procMount === 'Unmasked') {
    const detail = '`hostUsers` must be false to use `Unmasked`'
    errors.push(invalid(`${path}.procMount`, context.procMount, detail))
  }
  errors.push(...validateSeccomp(context.seccompProfile, `${path}.seccompProfile`))
  if (context.allowPrivilegeEscalation === false) {
    const prefix = 'cannot set `allowPrivilegeEscalation` to false and'
    if (context.privileged) errors.push(invalid(path, context, `${prefix} \`privileged\` to true`))
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(invalid(path, context, `${prefix} \`capabilities.Add\` CAP_SYS_ADMIN`))
    }
  }
  return [...errors, ...validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`)]
}

interface Profile {
  type?: string
  localhostProfile?: string
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

function validateSeccomp(profile: Profile | undefined, path: string): FieldError[] {
  if (!profile) return []
  const { type, localhostProfile: file } = profile
  const errors = type
    ? oneOf(`${path}.type`, type, profileTypes)
    : [required(`${path}.type`, 'type is required when seccompProfile is set')]
  const at = `${path}.localhostProfile`
  if (type === 'Localhost') {
    if (file === undefined) return [...errors, required(at, 'must be set when seccomp type is Localhost')]
    return [...errors, ...descendingPath(at, file)]
  }
  if (file === undefined) return errors
  return [...errors, invalid(at, profile, 'can only be set when seccomp type is Localhost')]
}

const maxProfileBytes = 4095

function validateAppArmor(profile: Profile | undefined, path: string): FieldError[] {
  if (!profile) return []
  const { type, localhostProfile: name } = profile
  const at = `${path}.localhostProfile`
  if (!type) return [required(`${path}.type`, 'type is required when appArmorProfile is set')]
  if (type !== 'Localhost') {
    const errors = requiredOneOf(`${path}.type`, type, profileTypes)
    if (errors.length > 0 || name === undefined) return errors
    return [invalid(at, name, 'can only be set when AppArmor type is Localhost')]
  }
  const missing = required(at, 'must be set when AppArmor type is Localhost')
  if (name === undefined) return [missing]
  const errors: FieldError[] = []
  if (name !== name.trim()) errors.push(invalid(at, name, 'must not be padded with whitespace'))
  else if (name === '') errors.push(missing)
  if (Buffer.byteLength(name) > maxProfileBytes) errors.push(tooLong(at, maxProfileBytes))
  return errors
}

// ---- Linux or Windows

const linuxPodFields = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const
const linuxPodSecurity = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
]
const linuxContainerSecurity = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
]

/** No pod can be of one system and ask for what only the other has. */
export function validateOs(spec: PodSpec, path: string): FieldError[] {
  if (!spec.os) return []
  const { name } = spec.os
  if (!name) return [required(`${path}.os.name`, 'cannot be empty')]
  const known = oneOf(`${path}.os`, name, ['linux', 'windows'])
  if (known.length > 0) return known
  const isWindows = name === 'windows'
  const detail = isWindows ? 'cannot be set for a windows pod' : 'windows options cannot be set for a linux pod'
  const present = (context: object | undefined, fields: readonly string[], at: string): FieldError[] =>
    fields
      .filter((field) => new Map(Object.entries(context ?? {})).get(field) !== undefined)
      .map((field) => forbidden(`${at}.${field}`, detail))
  const containers = Object.entries({
    initContainers: spec.initContainers,
    containers: spec.containers,
    ephemeralContainers: spec.ephemeralContainers,
  })
  return [
    ...present(spec.securityContext, isWindows ? linuxPodSecurity : ['windowsOptions'], `${path}.securityContext`),
    ...(isWindows ? present(spec, linuxPodFields, path) : []),
    ...containers.flatMap(([field, list = []]) =>
      list.flatMap(({ securityContext }, i) => {
        const at = `${path}.${field}[${i}].securityContext`
        return present(securityContext, isWindows ? linuxContainerSecurity : ['windowsOptions'], at)
      }),
    ),
  ]
}
