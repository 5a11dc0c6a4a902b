/**
 * A command that has verbs of its own: `dinghy docker run`, `dinghy kubectl get`, `dinghy compose up`. Each verb is
 * declared as data (its words, its flags, a sentence) and becomes a command of commander's; only the verb that is
 * called is loaded.
 *
 * Flags keep their names as they are written: `--no-deps` is flags['no-deps'], not the opposite of a flag "deps", as
 * commander would have it.
 */

import { type Command, Option } from 'commander'
import { collect, exitWith, plainCommand } from './command.ts'

export interface Flag {
  type: 'string' | 'boolean'
  short?: string
  multiple?: boolean
  /** What its value is called in the help. */
  value?: string
  /** Completes the sentence "--flag …"; starts in lower case. */
  help: string
}

export type FlagTable = Record<string, Flag>

/** The values by the flags' names; which type each has, the table says. */
export type Flags = Record<string, string | boolean | (string | boolean)[] | undefined>

/** The values of a flag that may be given several times. */
export function several(flags: Flags, name: string): string[] {
  return (flags[name] as string[] | undefined) ?? []
}

export interface VerbShape {
  /** What stands behind its flags, as the usage line shows it: `CONTAINER COMMAND [ARG…]`. */
  words: string
  summary: string
  flags?: FlagTable
  /** Flags end at the first word: what follows it belongs to the container's command. */
  stopsAtFirstWord?: boolean
}

interface VerbsOptions<Verb extends VerbShape> {
  name: string
  description: string
  examples: string[]
  verbs: Record<string, () => Promise<Verb>>
  /** Flags of the command itself: they stand before the verb, and, unless `onlyBefore`, also behind it. */
  flags: FlagTable
  onlyBefore?: boolean
  /** `flags` has both the command's and the verb's. */
  run: (verb: Verb, flags: Flags, words: string[]) => Promise<number>
}

/** `words` as they were typed: the verbs among them are loaded, or all if none is. */
export async function verbsCommand<Verb extends VerbShape>(
  options: VerbsOptions<Verb>,
  words: string[] | 'all',
): Promise<Command> {
  const { name, description, examples, verbs, flags, onlyBefore = false, run } = options
  const command = addFlags(plainCommand(name, examples), flags).description(description).enablePositionalOptions()
  const called = words === 'all' ? [] : words.filter((word) => Object.hasOwn(verbs, word))
  for (const [verbName, load] of Object.entries(verbs)) {
    const isCalled = called.length === 0 || called.includes(verbName)
    if (!isCalled) {
      command.command(verbName)
      continue
    }
    const verb = await load()
    const own = onlyBefore ? (verb.flags ?? {}) : { ...flags, ...verb.flags }
    const act = (given: Flags, typed: string[]) => run(verb, { ...command.opts<Flags>(), ...given }, typed)
    command.addCommand(declare(verbName, verb, own, act))
  }
  return command
}

function declare(
  name: string,
  verb: VerbShape,
  flags: FlagTable,
  act: (flags: Flags, words: string[]) => Promise<number>,
): Command {
  const command = addFlags(plainCommand(name, []), flags)
    .description(verb.summary)
    .usage(`[options] ${verb.words}`.trimEnd())
    .argument('[words...]')
    .action(exitWith((given: Flags, words: unknown) => act(given, words as string[])))
  return verb.stopsAtFirstWord ? command.passThroughOptions() : command
}

function addFlags(command: Command, flags: FlagTable): Command {
  for (const [name, flag] of Object.entries(flags)) command.addOption(optionOf(name, flag))
  return command
}

function optionOf(name: string, { type, short, multiple, value = 'value', help }: Flag): Option {
  const words = `${short ? `-${short}, ` : ''}--${name}${type === 'string' ? ` <${value}>` : ''}`
  const option = new Option(words, help)
  option.negate = false
  option.attributeName = () => name
  return multiple ? option.argParser(collect) : option
}
