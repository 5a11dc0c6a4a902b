/**
 * Asking a component how it is, by the debug address that it publishes in its run file.
 */

import { readFileSync } from 'node:fs'
import { NoAnswer, onDebugServer, send } from './http.ts'

export type Health =
  /** Its process is there; it has not said yet where it listens. */
  | 'starting'
  | 'ready'
  /** It answers, and says that it is not ready. */
  | 'not ready'
  /** It listens and does not answer: it hangs. */
  | 'silent'

export type AskHealth = typeof askHealth

/** A process that is not ready may hold its answer back for `waitMs`, until it is. */
export async function askHealth(
  runFile: string,
  pid: number | undefined,
  timeoutMs: number,
  waitMs = 0,
): Promise<Health> {
  const debug = readRunFile(runFile, pid)
  if (debug === undefined) return 'starting'
  try {
    const { status } = await send({ method: 'GET', ...onDebugServer(debug, `/readyz?waitMs=${waitMs}`), timeoutMs })
    return status === 200 ? 'ready' : 'not ready'
  } catch (error) {
    if (error instanceof NoAnswer) return 'silent'
    throw error
  }
}

/** The address of a component's health and debug endpoints, if the process `pid` has published it. */
export function readRunFile(path: string, pid?: number): string | undefined {
  try {
    const run = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; debug: string }
    return pid === undefined || run.pid === pid ? run.debug : undefined
  } catch (error) {
    // Not written yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
