/**
 * Flags: a process' command line, described once as data: its type, its default and its help text.
 *
 *   const flags = { server: { type: 'string', default: 'http://127.0.0.1:6443', help: 'where the API server listens' },
 *                   'grace-period': { type: 'duration', default: '8s', help: '…' } } satisfies FlagSpec
 *   parseFlags(flags, argv)  →  { server: string, gracePeriod: number } (in ms)
 *
 * Callers may rely on: names are kebab-case on the command line and camelCase in the result; durations arrive as
 * milliseconds; anything the spec does not allow throws a FlagError whose message can be shown as it is. Written
 * `--name value` or `--name=value`, as with Kubernetes' own binaries.
 */

import { parseDuration } from '../api/duration.ts'

interface Described {
  /** Completes the sentence "--name  …"; starts in lower case. */
  help: string
}

export type Flag =
  | (Described & { type: 'string'; default?: string; required?: boolean; oneOf?: readonly string[] })
  | (Described & { type: 'number'; default?: number; required?: boolean })
  | (Described & { type: 'duration'; default?: string; required?: boolean })
  | (Described & { type: 'boolean'; default?: boolean })
  /** May be repeated, and each value may hold several with commas between them. */
  | (Described & { type: 'list'; default?: readonly string[] })

export type FlagSpec = Record<string, Flag>

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : S
type Present<F, T> = F extends { default: unknown } | { required: true } ? T : T | undefined
type ValueOf<F extends Flag> = F extends { type: 'string' }
  ? Present<F, string>
  : F extends { type: 'number' | 'duration' }
    ? Present<F, number>
    : F extends { type: 'boolean' }
      ? boolean
      : string[]

export type Flags<S extends FlagSpec> = { [K in keyof S & string as CamelCase<K>]: ValueOf<S[K]> }

export class FlagError extends Error {
  override readonly name = 'FlagError'
}

/** Reads `argv` (without node and script) against the spec. */
export function parseFlags<S extends FlagSpec>(spec: S, argv: readonly string[]): Flags<S> {
  const given = new Map<string, string[]>()
  for (let index = 0; index < argv.length; index++) {
    const { name, value: inline } = splitArgument(argv[index] ?? '')
    const flag = Object.hasOwn(spec, name) ? spec[name] : undefined
    if (flag === undefined) throw new FlagError(`unknown flag: --${name}`)
    const value = inline ?? (flag.type === 'boolean' ? 'true' : argv[++index])
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`)
    given.set(name, [...(given.get(name) ?? []), value])
  }
  const values = Object.entries(spec).map(([name, flag]) => [camelCase(name), valueOf(name, flag, given.get(name))])
  return Object.fromEntries(values) as Flags<S>
}

function splitArgument(argument: string): { name: string; value?: string } {
  if (!argument.startsWith('--') || argument === '--') throw new FlagError(`unexpected argument: ${argument}`)
  const equals = argument.indexOf('=')
  if (equals < 0) return { name: argument.slice(2) }
  return { name: argument.slice(2, equals), value: argument.slice(equals + 1) }
}

/** As in Go, the last of several occurrences counts. */
function valueOf(name: string, flag: Flag, given: string[] | undefined): unknown {
  if (flag.type === 'list')
    return given?.flatMap((text) => text.split(',').filter(Boolean)) ?? [...(flag.default ?? [])]
  const text = given?.at(-1)
  if (text !== undefined) return convert(name, flag, text)
  if ('required' in flag && flag.required === true) throw new FlagError(`required flag not set: --${name}`)
  if (flag.type === 'boolean') return flag.default ?? false
  return flag.type === 'duration' && flag.default !== undefined ? convert(name, flag, flag.default) : flag.default
}

function convert(name: string, flag: Flag, text: string): unknown {
  const refuse = (why: string): never => {
    throw new FlagError(`invalid argument ${JSON.stringify(text)} for "--${name}": ${why}`)
  }
  switch (flag.type) {
    case 'number':
      return text !== '' && Number.isFinite(Number(text)) ? Number(text) : refuse('not a number')
    case 'duration':
      return parseDuration(text) ?? refuse('not a duration such as 500ms, 8s or 1m30s')
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : refuse('not true or false')
    case 'string':
      return flag.oneOf === undefined || flag.oneOf.includes(text)
        ? text
        : refuse(`must be one of ${flag.oneOf.join(', ')}`)
    default:
      return text
  }
}

/** The text that --help prints. */
export function helpText(name: string, spec: FlagSpec): string {
  const rows = Object.entries(spec).map(([flag, { type }]) => (type === 'boolean' ? `--${flag}` : `--${flag} ${type}`))
  const width = Math.max(...rows.map((row) => row.length))
  const lines = Object.values(spec).map((flag, index) => `  ${(rows[index] ?? '').padEnd(width)}   ${describe(flag)}`)
  return [`Usage: ${name} [flags]`, '', 'Flags:', ...lines, ''].join('\n')
}

function describe(flag: Flag): string {
  const notes = []
  if ('oneOf' in flag && flag.oneOf) notes.push(`one of ${flag.oneOf.join(', ')}`)
  if ('required' in flag && flag.required === true) notes.push('required')
  const shown = Array.isArray(flag.default) ? flag.default.join(',') : flag.default
  if (shown !== undefined && shown !== '' && shown !== false) notes.push(`default ${String(shown)}`)
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}
