/**
 * Which of the kernel's capabilities a container's root may use: Docker's default fourteen, adjusted by --cap-add and
 * --cap-drop. Pure; the names become setpriv's arguments in launch.ts.
 */
import { badParameter } from '@dinghy/shared/docker/errors'

/** In the order of their numbers in linux/capability.h. */
export const allCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const

export type Capability = (typeof allCapabilities)[number]

export const defaultCapabilities: readonly Capability[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SYS_CHROOT',
  'MKNOD',
  'AUDIT_WRITE',
  'SETFCAP',
]

/** The capabilities of a container, in the kernel's order. Throws a 400 for names that do not exist. */
export function capabilitiesOf(add: string[] = [], drop: string[] = [], privileged = false): Capability[] {
  if (privileged) return [...allCapabilities]
  const added = add.map(normalise)
  const dropped = drop.map(normalise)
  const base = added.includes('ALL') ? allCapabilities : dropped.includes('ALL') ? [] : defaultCapabilities
  const wanted = new Set<string>([...base, ...added])
  // With `--cap-add ALL --cap-drop X` the drops are exceptions, and with `--cap-drop ALL --cap-add X` the adds are.
  for (const name of dropped) if (!added.includes(name)) wanted.delete(name)
  return allCapabilities.filter((name) => wanted.has(name))
}

function normalise(name: string): Capability | 'ALL' {
  const short = name.toUpperCase().replace(/^CAP_/, '')
  if (short === 'ALL') return short
  const known = allCapabilities.find((capability) => capability === short)
  if (known === undefined) throw badParameter(`invalid capability: unknown capability: "CAP_${short}"`)
  return known
}
