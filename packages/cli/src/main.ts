/**
 * `dinghy`: the command line. commands/program.ts is the table of what it can do.
 */

import { CommanderError } from 'commander'
import { programFor, withoutHelpWord } from './commands/program.ts'
import { UsageError } from '@dinghy/clients/command-line/command'

async function main(words: string[]): Promise<void> {
  const called = withoutHelpWord(words)
  const program = await programFor(called)
  await program.parseAsync(called, { from: 'user' })
}

// Whoever reads us has read enough (`| head`). A cluster in the foreground goes on all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  if (process.argv[2] !== 'up') process.exit(0)
})

try {
  await main(process.argv.slice(2))
} catch (error) {
  // Help and mistakes in the words: commander has said it already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    console.error(`dinghy: ${(error as Error).message}`)
    if (process.env['DINGHY_DEBUG']) console.error(error)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}
