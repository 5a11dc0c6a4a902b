/**
 * runCommand: one call of a program such as `nft` or `ip`, which is given its text on standard input.
 */

import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { toolEnvironment } from '@dinghy/shared/process/shell'

/** The program has said no; its words are the message. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Resolves with what it prints. Rejects with a CommandError, or with the error of spawn (ENOENT). */
export async function runCommand(command: string[], input = ''): Promise<string> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: toolEnvironment })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  // It may end before it has read everything, when it does not like the beginning; its exit code says so.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code === 0) return out
  const words = err.trim().split('\n').slice(0, 3).join('\n')
  throw new CommandError(`${command.join(' ')}: ${words || `ended with ${code}`}`)
}
