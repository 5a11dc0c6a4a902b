/**
 * What all commands of `dinghy` share: how one is declared (by commander) and how it ends.
 *
 * Exit codes are the same everywhere: 0 it is done, 1 it failed (or is not ready), 2 it was used wrongly.
 */

import { Command } from 'commander'

/** `examples` are whole command lines, shown below the flags. */
export function plainCommand(name: string, examples: string[]): Command {
  const command = new Command(name)
  if (examples.length === 0) return command
  const shown = examples.map((example) => `  $ ${example}`).join('\n')
  return command.addHelpText('after', `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${shown}`)
}

/**
 * What commander calls. `run` gets the options, of whatever type it declared them, and the words (a list for those of a
 * variadic argument); its number becomes the exit code.
 */
export function exitWith(run: (options: never, ...words: never[]) => Promise<number> | number) {
  return async function act(...args: unknown[]): Promise<void> {
    // commander appends the options and the command itself to the words. Options may also stand before a command's
    // verb.
    const options = (args.at(-1) as Command).optsWithGlobals() as never
    process.exitCode = await run(options, ...(args.slice(0, -2) as never[]))
  }
}

/** For commander: an option that may be given several times. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

/** One word of a POSIX shell, whatever characters it has. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A mistake of the person at the keyboard: shown as one line, without a stack, exit code 2. */
export class UsageError extends Error {}
