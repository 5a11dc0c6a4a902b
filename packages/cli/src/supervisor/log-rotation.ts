/**
 * Keeps the logs of components from filling the disk: what has grown beyond a limit becomes NAME.log.1, and NAME.log
 * begins anew. So a component has at most twice the limit.
 *
 * The file is copied and then cut, as logrotate's copytruncate does, because the component holds it open and appends
 * to it: a line that is written between the copy and the cut is lost. On a full disk there is no room for a copy, and
 * the log is cut without one.
 */

import { copyFileSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'

const logLimitBytes = 10 << 20
const checkEveryMs = 15_000

/** Runs until the signal aborts. */
export async function rotateLogs(directory: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const file of readdirSync(directory)) if (file.endsWith('.log')) rotate(join(directory, file))
    await clock.sleep(checkEveryMs, signal).catch((error: Error) => {
      if (!signal.aborted) throw error
    })
  }
}

/** True when the file was longer than that. */
export function rotate(path: string, limitBytes = logLimitBytes): boolean {
  if (statSync(path).size <= limitBytes) return false
  try {
    copyFileSync(path, `${path}.1`)
  } catch (error) {
    if (!isFull(error)) throw error
    rmSync(`${path}.1`, { force: true })
  }
  truncateSync(path)
  return true
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}
