/**
 * Components of a supervisor that was killed: they stop by themselves when they notice (their stdin ends), but a new
 * cluster on the same state directory must not start before they have.
 */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import type { StateDir } from '../cluster/state-dir.ts'

const patienceMs = 5_000
const pollMs = 20

/** Returns when no component of an earlier supervisor of this state directory is alive; kills one that stays. */
export async function waitForLeftovers(state: StateDir, clock: Clock): Promise<void> {
  const directory = dirname(state.runFile('any'))
  const giveUpAt = clock.now() + patienceMs
  const untilGone = async (pid: number, path: string): Promise<void> => {
    while (await isComponent(pid, path)) {
      if (clock.now() > giveUpAt) process.kill(pid, 'SIGKILL')
      await clock.sleep(pollMs, new AbortController().signal)
    }
  }
  for (const file of readdirSync(directory)) {
    const path = join(directory, file)
    // A process that was killed while it wrote leaves a temporary file, perhaps half of one; it published nothing.
    const pid = file.endsWith('.json') ? pidIn(path) : undefined
    if (pid !== undefined) await untilGone(pid, path)
    rmSync(path, { force: true })
  }
}

function pidIn(path: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid
  } catch (error) {
    // The component removed its file as it stopped, between our listing the directory and reading it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

// Pids are reused: only a process whose command line names this very run file is one of ours.
async function isComponent(pid: number, runFile: string): Promise<boolean> {
  const ps = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(
    // ps ends with 1 when there is no such process.
    (error: { code?: number; stdout?: string }) => {
      if (error.code === 1) return { stdout: '' }
      throw error
    },
  )
  return ps.stdout.includes(runFile)
}
