/**
 * The run file: a few lines of JSON by which a process says that it is up, who it is, where it listens and, later,
 * that it has become ready.
 *
 * Readers may rely on: the file is either absent or whole, never half-written, because it is renamed into place.
 */

import { renameSync, rmSync, writeFileSync } from 'node:fs'

export interface RunFile {
  name: string
  pid: number
  /** The URL of the debug server. */
  debug: string
  /** When all its checks first passed, in milliseconds since 1970. */
  readyAt?: number
  [extra: string]: unknown
}

export function writeRunFile(path: string, content: RunFile): void {
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

export function removeRunFile(path: string): void {
  rmSync(path, { force: true })
}
