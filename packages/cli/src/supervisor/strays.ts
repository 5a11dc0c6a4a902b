/**
 * Processes of containers that are left when the runtime has stopped, although it was asked to end them all. Only before
 * the cluster's files are removed is that our business: nobody could end them afterwards.
 *
 * They are found by their command line, which names their container's directory. In a pid namespace the end of the first
 * process ends all others, so it is enough to find those that the runtime started.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Kills what still runs below this runtime's root; returns how many processes that were. */
export async function killStrays(runtimeRoot: string): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-e', '-o', 'pid=,args='], { maxBuffer: 64 << 20 })
  const strays = straysIn(stdout, runtimeRoot).filter((pid) => pid !== process.pid)
  for (const pid of strays) kill(pid)
  return strays.length
}

/** From the output of ps: pure. */
export function straysIn(processes: string, runtimeRoot: string): number[] {
  const lines = processes.split('\n').filter((line) => line.includes(`${runtimeRoot}/containers/`))
  return lines.map((line) => Number.parseInt(line, 10))
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It ended between our looking and our killing.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
