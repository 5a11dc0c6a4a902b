/**
 * The processes of a container where no cgroup counts them: those that live in its mount namespace, which each
 * container has for itself. And what a cgroup would do to them all at once, done one by one.
 */
import { readlinkSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import { allPids, readStat, signalIfAlive } from '../process-table.ts'

/** An opaque name of the mount namespace of `pid`; undefined when there is no such process or it is none of ours. */
export function mountNamespaceOf(pid: number): string | undefined {
  return namespaceOf(pid, 'mnt')
}

/** The processes in a container's namespaces, `pid` being its first. */
export function membersOf(pid: number): number[] {
  const [mounts, pids] = [namespaceOf(pid, 'mnt'), namespaceOf(pid, 'pid')]
  if (mounts === undefined) return []
  // The shell that reports how the container ended waits in its mount namespace, too.
  const parent = readStat(pid)?.ppid
  return inMountNamespace(mounts).filter((other) => other !== parent && namespaceOf(other, 'pid') === pids)
}

export function inMountNamespace(name: string): number[] {
  return allPids().filter((pid) => namespaceOf(pid, 'mnt') === name)
}

/**
 * Again and again, because what is not yet stopped may make more. Processes that wait for these can notice; see
 * docs/limits.md.
 */
export async function stopMembers(clock: Clock, pid: number): Promise<void> {
  // The shells that wait for them would take them for jobs that were put aside.
  if (membersOf(pid).some((member) => (readStat(member)?.terminal ?? 0) !== 0)) {
    throw new DockerError(500, 'cannot pause processes on a terminal: this machine has no cgroup freezer for us')
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    const running = membersOf(pid).filter(
      (member) => !['T', 't', 'Z', 'X', undefined].includes(readStat(member)?.state),
    )
    if (running.length === 0) return
    for (const member of running) signalIfAlive(member, 'SIGSTOP')
    await clock.sleep(5)
  }
  continueMembers(pid)
  throw new DockerError(500, 'cannot pause: its processes do not stop')
}

export function continueMembers(pid: number): void {
  for (const member of membersOf(pid)) signalIfAlive(member, 'SIGCONT')
}

function namespaceOf(pid: number, kind: 'mnt' | 'pid'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch (error) {
    // Gone, or somebody else's.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
