/** Runs a script of the machine's network tools, and finds these tools. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** Runs a script, in `directory` if that matters. */
export type RunScript = typeof runScript

/** An ordinary user's PATH often lacks the second half of these. */
const directories = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/** Their messages are read, so they have to be in English. */
export const toolEnvironment = { PATH: directories.join(':'), LC_ALL: 'C' }

export function hasTool(name: string): boolean {
  return directories.some((directory) => existsSync(join(directory, name)))
}

/** Resolves to what the script wrote to standard error, and its exit code. */
export async function runScript(script: string, directory = '/'): Promise<{ code: number | null; stderr: string }> {
  const child = spawn('/bin/sh', ['-s'], { cwd: directory, env: toolEnvironment, stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number | null]>
  // It ended before it had read everything; its exit code says why.
  child.stdin.on('error', () => undefined)
  child.stdin.end(script)
  const [[code], stderr] = await Promise.all([ended, text(child.stderr)])
  return { code, stderr }
}
