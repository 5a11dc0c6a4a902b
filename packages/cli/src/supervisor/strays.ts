/**
 * Processes of containers that are left when the runtime has stopped, although it was asked to end them all. Only
 * before the cluster's files are removed is that our business: nobody could end them afterwards.
 *
 * Each container's directory says which they are: run/shim has the pid of the shell that waits for it, run/pid that
 * of its first process and when that was started. Numbers are used again, so each must prove that it is still the
 * same process: the shell by its command line, which names that directory, the other one by its start time.
 */

import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Kills what still runs below this runtime's root; returns how many processes that were. */
export async function killStrays(runtimeRoot: string): Promise<number> {
  const containers = join(runtimeRoot, 'containers')
  if (!existsSync(containers)) return 0
  const runs = readdirSync(containers).map((id) => join(containers, id, 'run'))
  const pids = (await Promise.all(runs.map(straysOf))).flat()
  for (const pid of pids) kill(pid)
  return pids.length
}

async function straysOf(run: string): Promise<number[]> {
  const [shim] = numbersIn(join(run, 'shim'))
  const [pid, started] = numbersIn(join(run, 'pid'))
  return [
    ...(shim !== undefined && (await commandOf(shim)).includes(run) ? [shim] : []),
    ...(pid !== undefined && started !== undefined && startTimeOf(pid) === started ? [pid] : []),
  ]
}

function numbersIn(path: string): number[] {
  return readIfThere(path).split(/\s+/).filter(Boolean).map(Number)
}

async function commandOf(pid: number): Promise<string> {
  // ps ends with 1 when there is no such process.
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(
    (error: { code?: number }) => {
      if (error.code === 1) return { stdout: '' }
      throw error
    },
  )
  return stdout
}

/** Field 22 of /proc/PID/stat; the name in field 2 may have spaces. No such file: no such process, or not Linux. */
function startTimeOf(pid: number): number | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat === '' ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It ended between our looking and our killing.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
