/**
 * Which kernel parameters a container may set: those that the kernel keeps for each IPC namespace, and for each network
 * namespace. Pure.
 *
 * Every other one is the whole machine's (`kernel.core_pattern` would even make root there run a program of the
 * container's choice).
 */
import { badParameter } from '@dinghy/shared/docker/errors'

const perIpcNamespace =
  /^(?:kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[a-z_]+)$/
/** What of it is the machine's after all, the kernel shows read-only in every namespace but the first. */
const perNetworkNamespace = /^net(?:\.[A-Za-z0-9_-]+)+$/

/** Throws a 400 for the first that is not the container's own business. */
export function checkSysctls(sysctls: Record<string, string>, modes: { IpcMode: string; NetworkMode: string }): void {
  for (const name of Object.keys(sysctls)) {
    const isNetwork = isNetworkSysctl(name)
    if (!isNetwork && !perIpcNamespace.test(name)) throw notSeparate(name)
    if (!isNetwork && modes.IpcMode === 'host') {
      throw badParameter(`sysctl "${name}" is not allowed in the hosts ipc namespace`)
    }
    if (isNetwork && modes.NetworkMode === 'host') {
      throw badParameter(`sysctl "${name}" is not allowed in the hosts network namespace`)
    }
    if (isNetwork && /^(?:container|ns):/.test(modes.NetworkMode)) throw notSeparate(name)
  }
}

export function isNetworkSysctl(name: string): boolean {
  return perNetworkNamespace.test(name)
}

export function notSeparate(name: string): Error {
  return badParameter(`sysctl "${name}" is not in a separate kernel namespace`)
}
