/**
 * Security contexts as Docker wants them. Pure. A container's own setting wins over its pod's. Nothing that was asked
 * for is dropped on the way: what the engine cannot do, the engine refuses, and the pod shows its words.
 * Follows upstream's securitycontext.DetermineEffectiveSecurityContext and cri-dockerd's mapping.
 */

import type { Container, EphemeralContainer, Pod } from '@dinghy/shared/api/types'
import type { HostConfig } from '@dinghy/shared/docker/types'
import { podText } from '../observed/labels.ts'

/** Shown as CreateContainerConfigError. */
export class ConfigError extends Error {}

export interface SecurityOptions {
  user?: string
  hostConfig: Pick<HostConfig, 'Privileged' | 'CapAdd' | 'CapDrop' | 'ReadonlyRootfs' | 'SecurityOpt' | 'GroupAdd'>
}

/** `imageUser` is the USER of the image, "" for root. */
export function securityOptions(
  pod: Pod,
  container: Container | EphemeralContainer,
  imageUser: string,
): SecurityOptions {
  const podContext = pod.spec.securityContext ?? {}
  const own = container.securityContext ?? {}
  const runAsUser = own.runAsUser ?? podContext.runAsUser
  const runAsGroup = own.runAsGroup ?? podContext.runAsGroup
  if (own.runAsNonRoot ?? podContext.runAsNonRoot) refuseRoot(pod, container, runAsUser, imageUser)
  if (runAsGroup !== undefined && runAsUser === undefined) {
    throw new ConfigError('runAsGroup is specified without a runAsUser')
  }
  const { add = [], drop = [] } = own.capabilities ?? {}
  const groups = [
    ...(podContext.supplementalGroups ?? []),
    ...(podContext.fsGroup === undefined ? [] : [podContext.fsGroup]),
  ]
  const options = securityOpt(own, podContext)
  return {
    ...(runAsUser === undefined
      ? {}
      : { user: runAsGroup === undefined ? `${runAsUser}` : `${runAsUser}:${runAsGroup}` }),
    hostConfig: {
      ...(own.privileged ? { Privileged: true } : {}),
      ...(add.length > 0 ? { CapAdd: add } : {}),
      ...(drop.length > 0 ? { CapDrop: drop } : {}),
      ...(own.readOnlyRootFilesystem ? { ReadonlyRootfs: true } : {}),
      ...(options.length > 0 ? { SecurityOpt: options } : {}),
      ...(groups.length > 0 ? { GroupAdd: groups.map(String) } : {}),
    },
  }
}

type Context = NonNullable<Container['securityContext']>
type PodContext = NonNullable<Pod['spec']['securityContext']>

function securityOpt(own: Context, podContext: PodContext): string[] {
  const options: string[] = []
  if (own.allowPrivilegeEscalation === false) options.push('no-new-privileges')
  const seccomp = own.seccompProfile ?? podContext.seccompProfile
  // Who asks for nothing gets no filter, unlike in Docker.
  if ((seccomp?.type ?? 'Unconfined') === 'Unconfined') options.push('seccomp=unconfined')
  if (seccomp?.type === 'Localhost') options.push(`seccomp=${seccomp.localhostProfile ?? ''}`)
  const appArmor = own.appArmorProfile ?? podContext.appArmorProfile
  if (appArmor?.type === 'Unconfined') options.push('apparmor=unconfined')
  if (appArmor?.type === 'Localhost') options.push(`apparmor=${appArmor.localhostProfile ?? ''}`)
  const selinux = own.seLinuxOptions ?? podContext.seLinuxOptions
  for (const part of ['user', 'role', 'type', 'level'] as const) {
    if (selinux?.[part]) options.push(`label=${part}:${selinux[part]}`)
  }
  return options
}

function refuseRoot(
  pod: Pod,
  container: Container | EphemeralContainer,
  runAsUser: number | undefined,
  imageUser: string,
): void {
  const where = `(pod: "${podText(pod)}", container: ${container.name})`
  if (runAsUser === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`)
  if (runAsUser !== undefined) return
  const [name = ''] = imageUser.split(':')
  if (name === '' || name === '0') {
    throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`)
  }
  if (!/^\d+$/.test(name)) {
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root ${where}`,
    )
  }
}
