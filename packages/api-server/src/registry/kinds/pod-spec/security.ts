/**
 * Security contexts, of a pod and of a container.
 */

import { duplicate, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { PodSecurityContext, PodSpec, SecurityContext } from '@dinghy/shared/api/types'
import { between, oneOf, requiredText } from '../checks.ts'

const maxId = 2147483647

export function validatePodSecurity(spec: PodSpec, path: string): FieldError[] {
  const context: PodSecurityContext = spec.securityContext ?? {}
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
  errors.push(...validateSysctls(context.sysctls, `${at}.sysctls`))
  errors.push(...oneOf(`${at}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ['OnRootMismatch', 'Always']))
  errors.push(...profile(context.seccompProfile, `${at}.seccompProfile`))
  return errors
}

const sysctl = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/

function validateSysctls(sysctls: PodSecurityContext['sysctls'], path: string): FieldError[] {
  const seen = new Set<string>()
  return (sysctls ?? []).flatMap(({ name }, i) => {
    const at = `${path}[${i}].name`
    if (!name) return [required(at)]
    if (seen.has(name)) return [duplicate(at, name)]
    seen.add(name)
    if (name.length <= 253 && sysctl.test(name)) return []
    return [invalid(at, name, `must have at most 253 characters and match regex ${sysctl.source}`)]
  })
}

export function validateContainerSecurity(context: SecurityContext | undefined, path: string): FieldError[] {
  if (!context) return []
  const errors = [
    ...between(`${path}.runAsUser`, context.runAsUser, 0, maxId),
    ...between(`${path}.runAsGroup`, context.runAsGroup, 0, maxId),
    ...oneOf(`${path}.procMount`, context.procMount, ['Default', 'Unmasked']),
    ...profile(context.seccompProfile, `${path}.seccompProfile`),
  ]
  if (context.allowPrivilegeEscalation === false) {
    const prefix = 'cannot set `allowPrivilegeEscalation` to false and'
    if (context.privileged) errors.push(invalid(path, context, `${prefix} \`privileged\` to true`))
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(invalid(path, context, `${prefix} \`capabilities.Add\` CAP_SYS_ADMIN`))
    }
  }
  return errors
}

function profile(seccomp: { type?: string; localhostProfile?: string } | undefined, path: string): FieldError[] {
  if (!seccomp) return []
  const errors = oneOf(`${path}.type`, seccomp.type, ['Localhost', 'RuntimeDefault', 'Unconfined'])
  if (seccomp.type === 'Localhost') {
    const detail = 'must be set when seccomp type is Localhost'
    errors.push(...requiredText(`${path}.localhostProfile`, seccomp.localhostProfile, detail))
  } else if (seccomp.localhostProfile) {
    const detail = 'can only be set when seccomp type is Localhost'
    errors.push(invalid(`${path}.localhostProfile`, seccomp, detail))
  }
  return errors
}
