/**
 * The processes of a container where no cgroup counts them: those that live in its mount namespace, which each
 * container has for itself. And what a cgroup would do to them all at once, done one by one.
 */
import { closeSync, openSync, readlinkSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import { allPids, readStat, signalIfAlive } from '../process-table.ts'

/** A mount namespace that is kept, so that the kernel does not give its number to the next one in the meantime. */
export interface HeldNamespace {
  /** Ends every process that lives in it. */
  kill(): void
  close(): void
}

/** The one of `pid`; undefined when there is no such process or it is none of ours. */
export function holdMountNamespace(pid: number): HeldNamespace | undefined {
  let held: number
  try {
    held = openSync(`/proc/${pid}/ns/mnt`, 'r')
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  const name = readlinkSync(`/proc/self/fd/${held}`)
  return {
    kill: () => inMountNamespace(name).forEach((member) => signalIfAlive(member, 'SIGKILL')),
    close: () => closeSync(held),
  }
}

/** The processes in a container's namespaces, `pid` being its first. */
export function membersOf(pid: number): number[] {
  const [mounts, pids] = [namespaceOf(pid, 'mnt'), namespaceOf(pid, 'pid')]
  if (mounts === undefined) return []
  // The shell that reports how the container ended waits in its mount namespace, too.
  const parent = readStat(pid)?.ppid
  return inMountNamespace(mounts).filter((other) => other !== parent && namespaceOf(other, 'pid') === pids)
}

function inMountNamespace(name: string): number[] {
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
