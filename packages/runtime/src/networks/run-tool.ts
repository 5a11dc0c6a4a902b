/**
 * Runs one of the machine's network tools with its input, and gives what it prints. Throws its complaint when it fails.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { serverError } from '@dinghy/shared/docker/errors'
import { toolEnvironment } from '../tool-environment.ts'

export async function runTool(program: string, args: string[], input: string): Promise<string> {
  const child = spawn(program, args, { env: toolEnvironment, stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number | null]>
  child.stdin.on('error', () => undefined) // it ended before it had read everything, and its exit code says why
  child.stdin.end(input)
  const [[code], output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code !== 0) throw serverError(`${program} failed (${code}): ${errors.trim()}`)
  return output
}
