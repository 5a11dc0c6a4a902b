/**
 * Which namespaces a container has for itself, and which it shares with the machine or another container.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import type { ContainerSpec, NamespaceMode } from '../driver.ts'
import { allPids } from '../process-table.ts'

/** `unshare` for what is the container's own, `nsenter` before it for what it shares. */
export function namespaceCommand({ namespaces = {}, hostname, mounts }: ContainerSpec): string[] {
  const modes: [flag: string, mode: NamespaceMode][] = [
    ['pid', namespaces.pid ?? 'private'],
    ['ipc', namespaces.ipc ?? 'private'],
    ['uts', namespaces.uts ?? (hostname === '' ? 'host' : 'private')],
    ['net', namespaces.network ?? 'host'],
  ]
  const shared = modes.flatMap(([flag, mode]) =>
    typeof mode === 'object' ? [`--${flag}=${'path' in mode ? mode.path : `/proc/${mode.pid}/ns/${flag}`}`] : [],
  )
  const own = modes.filter(([, mode]) => mode === 'private').map(([flag]) => `--${flag}`)
  const propagation = mounts.some((mount) => mount.propagation !== undefined) ? 'slave' : 'private'
  const unshare = ['unshare', '--mount', '--propagation', propagation, ...own]
  // Not as a child: only what is forked later, as the container's process, may live in a pid namespace that others
  // share.
  return shared.length === 0 ? unshare : ['nsenter', '--no-fork', ...shared, '--', ...unshare]
}

/** The processes that live in the pid namespace of `pid`. */
export function samePidNamespace(pid: number): number[] {
  const namespace = (of: number): string | undefined => {
    try {
      return readlinkSync(`/proc/${of}/ns/pid`)
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
  const own = namespace(pid)
  return own === undefined ? [] : allPids().filter((other) => namespace(other) === own)
}

const ptraceBit = 1n << 19n

/**
 * Whether something in the pid namespace of `pid`, if that is not ours, can get CAP_SYS_PTRACE: it may belong to
 * another container that lives there, too.
 */
export function mayBeTraced(pid: number): boolean {
  if (readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid')) return false
  return samePidNamespace(pid).some((other) => (boundingSetOf(other) & ptraceBit) !== 0n)
}

function boundingSetOf(pid: number): bigint {
  try {
    const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return BigInt(`0x${bounding ?? '0'}`)
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0n
    throw error
  }
}
