/**
 * What every command of `dinghy` is: a line of help, its flags, and a function that returns the exit code.
 */

import type { ParseArgsConfig } from 'node:util'

/** What node's parseArgs returns; which type a flag has, the command's own table says. */
export type Flags = Record<string, string | boolean | (string | boolean)[] | undefined>

/** The values of a flag that may be given several times. */
export function several(flags: Flags, name: string): string[] {
  return (flags[name] as string[] | undefined) ?? []
}

export interface Command {
  usage: string
  summary: string
  flags?: NonNullable<ParseArgsConfig['options']>
  /** How many words it takes besides its flags; none unless said. */
  words?: number
  /** Takes whatever follows as it stands (`dinghy kubectl get -o wide`): no flag of ours is looked for in it. */
  passThrough?: boolean
  run(flags: Flags, args: string[]): Promise<number>
}

/** A mistake of the person at the keyboard: shown as one line, without a stack, exit code 2. */
export class UsageError extends Error {
  /** From an error of node's parseArgs, whose message goes on about `--`; its first sentence says what is wrong. */
  static of(error: unknown, usage: string): UsageError {
    const [first] = (error as Error).message.split('. ')
    return new UsageError(`${first}\nusage: dinghy ${usage}`)
  }
}
