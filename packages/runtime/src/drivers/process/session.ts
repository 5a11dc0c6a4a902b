/**
 * The processes of a container under the process driver: the session that its shim leads, without the shim itself.
 */
import { execFileSync } from 'node:child_process'
import type { Running } from '../driver.ts'
import { allPids, descendantsOf, isSameProcess, readStat } from '../process-table.ts'
import { toolEnvironment } from '../../tool-environment.ts'

/** Programs that lead a session of their own (a terminal, a daemon) are found as descendants, as long as they are. */
export function sessionPids(running: Running, shimPid: number | undefined): number[] {
  const members = shimPid === undefined ? [] : membersOf(shimPid)
  const descendants = isSameProcess(running.pid, running.startTime) ? descendantsOf(running.pid) : []
  return [...new Set([...members, ...descendants])].filter((pid) => pid !== shimPid)
}

function membersOf(session: number): number[] {
  if (process.platform === 'linux') return allPids().filter((pid) => readStat(pid)?.session === session)
  const lines = execFileSync('ps', ['-axo', 'pid=,pgid='], { env: toolEnvironment, encoding: 'utf8' })
    .trim()
    .split('\n')
  // macOS' ps shows no session number; shells without job control keep everything in one process group.
  return lines.flatMap((line) => {
    const [pid = 0, group] = line.trim().split(/\s+/).map(Number)
    return group === session ? [pid] : []
  })
}
