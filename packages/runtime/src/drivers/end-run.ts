/**
 * The end of a run of which nobody can say how far it got: its start is not settled in time, or its shim has been
 * killed. Whoever declares such a run to have ended ends it here first; otherwise its program may run on, or begin
 * to, and nobody knows of it.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { serverError } from '@dinghy/shared/docker/errors'
import { allPids, commandLineOf, descendantsOf, readStat, signalIfAlive, isAlive } from './process-table.ts'
import { readShimPid } from './shim.ts'

const pollMs = 5
const patienceMs = 10_000

/** Resolves when no process of it is left. Throws if one cannot be ended. Harmless for a run that has ended. */
export async function endRun(clock: Clock, runDir: string): Promise<void> {
  const members = new Set<number>()
  // What is stopped starts nothing new. So when everything that is found has been stopped before, it is everything.
  for (let fresh = membersOf(runDir); fresh.length > 0; fresh = membersOf(runDir).filter((pid) => !members.has(pid))) {
    for (const pid of fresh) signalIfAlive(pid, 'SIGSTOP')
    for (const pid of fresh) members.add(pid)
  }
  for (const pid of members) signalIfAlive(pid, 'SIGKILL')
  const since = clock.now()
  while ([...members].some(isRunning)) {
    if (clock.now() - since > patienceMs) throw serverError(`processes of the run in ${runDir} cannot be ended`)
    await clock.sleep(pollMs)
  }
}

/**
 * Those that hold a file of the run directory, as the shim and all that come after it do until the program replaces
 * its streams, and what they started. The number in the `shim` file alone says nothing: it may be somebody else's by
 * now.
 */
function membersOf(runDir: string): number[] {
  const holders = process.platform === 'linux' ? allPids().filter((pid) => holdsFileIn(pid, runDir)) : shimOf(runDir)
  return [...new Set(holders.filter((pid) => pid !== process.pid).flatMap(descendantsOf))].filter(isRunning)
}

function holdsFileIn(pid: number, runDir: string): boolean {
  const directory = `/proc/${pid}/fd`
  const open = unlessGone(() => readdirSync(directory)) ?? []
  return open.some((fd) => unlessGone(() => readlinkSync(`${directory}/${fd}`))?.startsWith(`${runDir}/`))
}

/** Undefined when the process has ended or has closed the file, or is somebody else's. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

function shimOf(runDir: string): number[] {
  const shim = readShimPid(runDir)
  return shim !== undefined && commandLineOf(shim)?.includes(runDir) ? [shim] : []
}

function isRunning(pid: number): boolean {
  return process.platform === 'linux' ? !['Z', 'X', undefined].includes(readStat(pid)?.state) : isAlive(pid)
}
