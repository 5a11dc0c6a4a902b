/**
 * The flags of a command and its words. What parseArgs dislikes becomes one line, with the usage below. Pure.
 */

import { parseArgs, type ParseArgsConfig } from 'node:util'
import { type Flags, UsageError } from './command.ts'

export interface WordsOptions {
  usage: string
  flags?: NonNullable<ParseArgsConfig['options']> | undefined
  /** Flags end at the first word: what follows it belongs to the container's command. */
  stopsAtFirstWord?: boolean | undefined
}

export function parseWords(
  args: string[],
  { usage, flags: options = {}, stopsAtFirstWord = false }: WordsOptions,
): { flags: Flags; words: string[] } {
  try {
    const { tokens } = parseArgs({ args, options, allowPositionals: true, strict: false, tokens: true })
    const first = tokens.find(({ kind }) => kind === 'positional' || kind === 'option-terminator')
    const end = stopsAtFirstWord ? (first?.index ?? args.length) : args.length
    const { values, positionals } = parseArgs({ args: args.slice(0, end), options, allowPositionals: true })
    const rest = args.slice(end)
    return { flags: values, words: [...positionals, ...(rest[0] === '--' ? rest.slice(1) : rest)] }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nusage: ${usage}`)
  }
}
