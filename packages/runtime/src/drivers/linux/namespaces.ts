/**
 * Which namespaces a container has for itself, and which it shares with the machine or another container.
 */
import { readlinkSync } from 'node:fs'
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
    typeof mode === 'object' ? [`--${flag}=/proc/${mode.pid}/ns/${flag}`] : [],
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
