/**
 * `dinghy`: the command line. commands/program.ts is the table of what it can do.
 */

import { CommanderError } from 'commander'
import { UsageError } from '@dinghy/clients/command-line/command'
import { begin } from '@dinghy/shared/api/at-start'
import { programFor, withoutHelpWord } from './commands/program.ts'

begin(() => void main(process.argv.slice(2)), loadSupervisor)

async function main(words: string[]): Promise<void> {
  // Whoever reads us has read enough (`| head`). A cluster in the foreground goes on all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (words[0] !== 'up') process.exit(0)
  })
  try {
    const called = withoutHelpWord(words)
    const program = await programFor(called)
    await program.parseAsync(called, { from: 'user' })
  } catch (error) {
    // Help and mistakes in the words: commander has said it already.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
    else {
      console.error(`dinghy: ${(error as Error).message}`)
      if (process.env['DINGHY_DEBUG']) console.error(error)
      process.exitCode = error instanceof UsageError ? 2 : 1
    }
  }
}

/** Only the supervisor that `up --detach` starts wakes from a snapshot: what it needs is loaded before that is made. */
async function loadSupervisor(): Promise<void> {
  await programFor(['up'])
  await Promise.all([import('./commands/supervise.ts'), import('./supervisor/control-server.ts')])
}
