/**
 * What processes use, added up one by one where no cgroup counts for them: of those that have ended nothing is known.
 */
import { execFileSync } from 'node:child_process'
import type { Usage } from './driver.ts'
import { readProc, readStat, ticksPerSecond } from './process-table.ts'
import { toolEnvironment } from '../tool-environment.ts'

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
  usage.cpuUserNanos += (stat.userTicks / ticksPerSecond) * 1e9
  usage.cpuKernelNanos += (stat.systemTicks / ticksPerSecond) * 1e9
}

function addPs(usage: Usage, pids: number[]): void {
  if (pids.length === 0) return
  const output = execFileSync('ps', ['-o', 'rss=,time=', '-p', pids.join(',')], {
    env: toolEnvironment,
    encoding: 'utf8',
  })
  for (const line of output.trim().split('\n')) {
    const [rss = '0', time = '0'] = line.trim().split(/\s+/)
    usage.memoryBytes += Number(rss) * 1024
    usage.cpuUserNanos += time.split(':').reduce((total, part) => total * 60 + Number(part), 0) * 1e9
  }
}
