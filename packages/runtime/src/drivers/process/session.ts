/**
 * The processes of a container under the process driver: the session that its shim leads, without the shim itself.
 */
import { execFileSync } from 'node:child_process'
import type { Running, Usage } from '../driver.ts'
import { allPids, descendantsOf, isSameProcess, readProc, readStat, TICKS_PER_SECOND } from '../process-table.ts'

/** Programs that lead a session of their own (a terminal, a daemon) are found as descendants, as long as they are. */
export function sessionPids(running: Running, shimPid: number | undefined): number[] {
  const members = shimPid === undefined ? [] : membersOf(shimPid)
  const descendants = isSameProcess(running.pid, running.startTime) ? descendantsOf(running.pid) : []
  return [...new Set([...members, ...descendants])].filter((pid) => pid !== shimPid)
}

function membersOf(session: number): number[] {
  if (process.platform === 'linux') return allPids().filter((pid) => readStat(pid)?.session === session)
  const lines = execFileSync('ps', ['-axo', 'pid=,pgid='], { encoding: 'utf8' }).trim().split('\n')
  // macOS' ps shows no session number; shells without job control keep everything in one process group.
  return lines.flatMap((line) => {
    const [pid = 0, group] = line.trim().split(/\s+/).map(Number)
    return group === session ? [pid] : []
  })
}

export function usageOf(pids: number[]): Usage {
  const usage: Usage = {
    cpuNanos: 0,
    cpuUserNanos: 0,
    cpuKernelNanos: 0,
    memoryBytes: 0,
    memoryPeakBytes: 0,
    memoryLimitBytes: 0,
    memoryCacheBytes: 0,
    pids: pids.length,
    pidsLimit: 0,
    readBytes: 0,
    writeBytes: 0,
  }
  if (process.platform === 'linux') for (const pid of pids) addLinux(usage, pid)
  else addPs(usage, pids)
  usage.cpuNanos = usage.cpuUserNanos + usage.cpuKernelNanos
  return usage
}

function addLinux(usage: Usage, pid: number): void {
  const stat = readStat(pid)
  const status = readProc(pid, 'status')
  if (stat === undefined || status === undefined) return
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
  usage.memoryBytes += kilobytes('VmRSS') * 1024
  usage.memoryPeakBytes += kilobytes('VmHWM') * 1024
  usage.cpuUserNanos += (stat.userTicks / TICKS_PER_SECOND) * 1e9
  usage.cpuKernelNanos += (stat.systemTicks / TICKS_PER_SECOND) * 1e9
}

function addPs(usage: Usage, pids: number[]): void {
  if (pids.length === 0) return
  const output = execFileSync('ps', ['-o', 'rss=,time=', '-p', pids.join(',')], { encoding: 'utf8' })
  for (const line of output.trim().split('\n')) {
    const [rss = '0', time = '0'] = line.trim().split(/\s+/)
    usage.memoryBytes += Number(rss) * 1024
    usage.cpuUserNanos += time.split(':').reduce((total, part) => total * 60 + Number(part), 0) * 1e9
  }
}
