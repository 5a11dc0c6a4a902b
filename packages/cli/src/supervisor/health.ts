/**
 * Asking a component how it is, by the debug address that it publishes in its run file.
 */

import { readFileSync } from 'node:fs'
import type { RunFile } from '@dinghy/shared/process/run-file'
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
export type HasBecomeReady = typeof hasBecomeReady

/** Whether the process has said by itself, in its run file, that it is ready. Asks nobody. */
export function hasBecomeReady(runFile: string, pid: number | undefined): boolean {
  return readRunFile(runFile, pid)?.readyAt !== undefined
}

export async function askHealth(runFile: string, pid: number | undefined, timeoutMs: number): Promise<Health> {
  const debug = readRunFile(runFile, pid)?.debug
  if (debug === undefined) return 'starting'
  try {
    const { status } = await send({ method: 'GET', ...onDebugServer(debug, '/readyz'), timeoutMs, keepAlive: true })
    return status === 200 ? 'ready' : 'not ready'
  } catch (error) {
    if (error instanceof NoAnswer) return 'silent'
    throw error
  }
}

/** What the process `pid` has published of itself, if it has. */
export function readRunFile(path: string, pid?: number): RunFile | undefined {
  try {
    const run = JSON.parse(readFileSync(path, 'utf8')) as RunFile
    return pid === undefined || run.pid === pid ? run : undefined
  } catch (error) {
    // Not written yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
