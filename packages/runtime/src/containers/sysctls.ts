/**
 * Which kernel parameters a container may set: those that the kernel keeps for each IPC namespace. Pure.
 *
 * Every other one is the whole machine's (`kernel.core_pattern` would even make root there run a program of the container's choice). runc
 * allows `net.*` too; here the network is the machine's, so those are refused, as Docker does with --network host.
 */
import { badParameter } from '../docker/errors.ts'

const PER_IPC_NAMESPACE =
  /^(?:kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[a-z_]+)$/

/** Throws a 400 for the first that is not the container's own business. */
export function checkSysctls(sysctls: Record<string, string>, ipcMode: string): void {
  for (const name of Object.keys(sysctls)) {
    if (!PER_IPC_NAMESPACE.test(name)) throw badParameter(`sysctl "${name}" is not in a separate kernel namespace`)
    if (ipcMode === 'host') throw badParameter(`sysctl "${name}" is not allowed in the hosts ipc namespace`)
  }
}
