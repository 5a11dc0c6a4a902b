/**
 * The instructions of a Dockerfile as types, and the step from a line of text to one of them.
 *
 * Words are still unexpanded here: `$X` and quotes are resolved when a step runs, because the values depend on the
 * steps before it. Every mistake that can be seen without running anything is reported here, in BuildKit's words.
 */
import { parseDuration } from './duration.ts'
import type { FlagKind } from './flags.ts'
import { Flags, suggestion } from './flags.ts'
import type { Heredoc } from './heredoc.ts'
import { parseHeredoc } from './heredoc.ts'
import type { RawInstruction } from './lines.ts'
import { splitKeyword } from './lines.ts'
import type { RunMount } from './run-mount.ts'
import { parseRunMount } from './run-mount.ts'
import { jsonFormOrBlanks, parseJsonForm, parsePairs, splitBlanks, splitWords } from './words.ts'
import type { Healthcheck } from '@dinghy/images/content/oci'

/** A command line: exec form as it stands, or shell form, one text for the image's SHELL. */
export interface CommandLine {
  args: string[]
  isShell: boolean
}

export interface From {
  kind: 'FROM'
  image: string
  /** Lower case. */
  name: string | undefined
  platform: string | undefined
}

export interface Run extends CommandLine {
  kind: 'RUN'
  heredocs: Heredoc[]
  mounts: RunMount[]
  /** `none`: only a loopback device of its own. */
  network: 'none' | 'default'
}

export interface Copy {
  kind: 'COPY' | 'ADD'
  sources: string[]
  /** Files whose content stands in the Dockerfile itself. */
  heredocs: Heredoc[]
  destination: string
  from: string | undefined
  chown: string | undefined
  chmod: string | undefined
  link: boolean
  parents: boolean
  exclude: string[]
  checksum: string | undefined
  keepGitDir: boolean
  /** ADD unpacks local archives unless told otherwise. */
  unpack: boolean | undefined
}

/** Instructions that change the config only, or the meaning of those that follow. */
export type Metadata =
  | { kind: 'ARG'; args: { name: string; value: string | undefined }[] }
  | ({ kind: 'CMD' | 'ENTRYPOINT' } & CommandLine)
  | { kind: 'ENV' | 'LABEL'; pairs: [string, string][] }
  | { kind: 'EXPOSE'; ports: string[] }
  | { kind: 'HEALTHCHECK'; healthcheck: Healthcheck }
  | { kind: 'MAINTAINER'; maintainer: string }
  | { kind: 'ONBUILD'; trigger: string }
  | { kind: 'SHELL'; shell: string[] }
  | { kind: 'STOPSIGNAL'; signal: string }
  | { kind: 'USER'; user: string }
  | { kind: 'VOLUME'; paths: string[] }

export interface Workdir {
  kind: 'WORKDIR'
  path: string
}

export type Command = (Run | Copy | Workdir | Metadata) & { line: number; text: string }
/** Neither RUN, COPY, ADD nor WORKDIR: nothing but the config is concerned. */
export function isMetadata(command: Command): command is Metadata & { line: number; text: string } {
  return !['RUN', 'COPY', 'ADD', 'WORKDIR'].includes(command.kind)
}

type Instruction = (From & { line: number; text: string }) | Command

type Parse = (raw: RawInstruction, escape: string) => From | Run | Copy | Workdir | Metadata

const parsers: Record<Instruction['kind'], Parse> = {
  ADD: (raw) => parseCopy(raw, 'ADD'),
  ARG: parseArg,
  CMD: (raw) => withFlags(raw, {}, () => ({ kind: 'CMD', ...commandLine(raw.rest) })),
  COPY: (raw) => parseCopy(raw, 'COPY'),
  ENTRYPOINT: (raw) => withFlags(raw, {}, () => ({ kind: 'ENTRYPOINT', ...commandLine(raw.rest) })),
  ENV: (raw, escape) => withFlags(raw, {}, () => ({ kind: 'ENV', pairs: parsePairs(raw.rest, 'ENV', escape) })),
  EXPOSE: (raw) =>
    withFlags(raw, {}, () => ({ kind: 'EXPOSE', ports: atLeastOne(splitBlanks(raw.rest), 'EXPOSE').sort() })),
  FROM: parseFrom,
  HEALTHCHECK: parseHealthcheck,
  LABEL: (raw, escape) => withFlags(raw, {}, () => ({ kind: 'LABEL', pairs: parsePairs(raw.rest, 'LABEL', escape) })),
  MAINTAINER: (raw) => withFlags(raw, {}, () => ({ kind: 'MAINTAINER', maintainer: exactlyOne(raw, 'MAINTAINER') })),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: (raw) => withFlags(raw, {}, () => ({ kind: 'STOPSIGNAL', signal: exactlyOne(raw, 'STOPSIGNAL') })),
  USER: (raw) => withFlags(raw, {}, () => ({ kind: 'USER', user: exactlyOne(raw, 'USER') })),
  VOLUME: parseVolume,
  WORKDIR: (raw) => withFlags(raw, {}, () => ({ kind: 'WORKDIR', path: exactlyOne(raw, 'WORKDIR') })),
}

/** Throws Error with Docker's message, without the line: parse.ts adds it. */
export function parseInstruction(raw: RawInstruction, escape: string): Instruction {
  const keyword = raw.keyword.toUpperCase()
  if (!isKeyword(keyword)) {
    throw new Error(`unknown instruction: ${raw.keyword}${suggestion(raw.keyword, Object.keys(parsers))}`)
  }
  return { ...parsers[keyword](raw, escape), line: raw.line, text: raw.original }
}

function isKeyword(keyword: string): keyword is Instruction['kind'] {
  return Object.hasOwn(parsers, keyword)
}

function parseFrom(raw: RawInstruction): From {
  return withFlags(raw, { platform: 'text' } as const, (flags) => {
    const [image, as, name, ...rest] = splitBlanks(raw.rest)
    if (image === undefined || rest.length > 0 || (as !== undefined && name === undefined)) {
      throw new Error('FROM requires either one or three arguments')
    }
    if (as !== undefined && as.toUpperCase() !== 'AS') throw new Error('FROM requires either one or three arguments')
    if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
      throw new Error(
        `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
      )
    }
    return { kind: 'FROM', image, name: name?.toLowerCase(), platform: flags.text('platform') }
  })
}

function parseRun(raw: RawInstruction): Run {
  return withFlags(raw, { mount: 'list', network: 'text', security: 'text' } as const, (flags) => {
    const network = flags.text('network') ?? 'default'
    if (!['default', 'none', 'host'].includes(network)) throw new Error(`invalid network mode: ${network}`)
    const security = flags.text('security') ?? 'sandbox'
    // As buildkitd without that entitlement, which is how it comes.
    if (security === 'insecure') throw new Error('security.insecure is not allowed')
    if (security !== 'sandbox') throw new Error(`security ${JSON.stringify(security)} is not valid`)
    return {
      kind: 'RUN',
      ...commandLine(raw.rest),
      heredocs: raw.heredocs,
      mounts: flags.list('mount').map(parseRunMount),
      // The machine's network is what a build has by default.
      network: network === 'none' ? 'none' : 'default',
    }
  })
}

const copyFlags = { chown: 'text', chmod: 'text', link: 'boolean', exclude: 'list' } as const

function parseCopy(raw: RawInstruction, kind: 'COPY' | 'ADD'): Copy {
  const known =
    kind === 'COPY'
      ? ({ ...copyFlags, from: 'text', parents: 'boolean' } as const)
      : ({ ...copyFlags, checksum: 'text', 'keep-git-dir': 'boolean', unpack: 'boolean' } as const)
  return withFlags(raw, known, (flags) => {
    const words = jsonFormOrBlanks(raw.rest)
    const destination = words.pop()
    if (destination === undefined || words.length === 0) {
      throw new Error(
        `${kind} requires at least two arguments, but only one was provided. Destination could not be determined`,
      )
    }
    if (parseHeredoc(destination)) throw new Error(`${kind} cannot accept a heredoc as a destination`)
    return {
      kind,
      sources: words.filter((word) => !parseHeredoc(word)),
      heredocs: raw.heredocs,
      destination,
      from: flags.text('from'),
      chown: flags.text('chown'),
      chmod: flags.text('chmod'),
      link: flags.boolean('link'),
      parents: flags.boolean('parents'),
      exclude: flags.list('exclude'),
      checksum: flags.text('checksum'),
      keepGitDir: flags.boolean('keep-git-dir'),
      unpack: flags.text('unpack') === undefined ? undefined : flags.boolean('unpack'),
    }
  })
}

function parseArg(raw: RawInstruction, escape: string): Metadata {
  const args = atLeastOne(splitWords(raw.rest, escape), 'ARG').map((word) => {
    const equals = word.indexOf('=')
    if (equals === 0) throw new Error('ARG names can not be blank')
    return equals < 0
      ? { name: word, value: undefined }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) }
  })
  return { kind: 'ARG', args }
}

function parseVolume(raw: RawInstruction): Metadata {
  return withFlags(raw, {}, () => {
    const paths = atLeastOne(jsonFormOrBlanks(raw.rest), 'VOLUME').map((path) => path.trim())
    if (paths.includes('')) throw new Error('VOLUME specified can not be an empty string')
    return { kind: 'VOLUME', paths }
  })
}

function parseShell(raw: RawInstruction): Metadata {
  return withFlags(raw, {}, () => {
    const shell = parseJsonForm(raw.rest)
    if (raw.rest === '' || shell?.length === 0) throw new Error('SHELL requires at least one argument')
    if (!shell) throw new Error(`SHELL requires the arguments to be in JSON form: ${raw.original}`)
    return { kind: 'SHELL', shell }
  })
}

const healthcheckFlags = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const

function parseHealthcheck(raw: RawInstruction): Metadata {
  const [, type = '', rest = ''] = /^(\S*)\s*([^]*)$/.exec(raw.rest) ?? []
  if (type === '') throw new Error('HEALTHCHECK requires at least one argument')
  if (type.toUpperCase() === 'NONE') {
    if (rest !== '') throw new Error('HEALTHCHECK NONE takes no arguments')
    return { kind: 'HEALTHCHECK', healthcheck: { Test: ['NONE'] } }
  }
  return withFlags(raw, healthcheckFlags, (flags) => {
    if (type.toUpperCase() !== 'CMD') {
      throw new Error(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`)
    }
    const { args, isShell } = commandLine(rest)
    if (args.length === 0) throw new Error('Missing command after HEALTHCHECK CMD')
    const durations = {
      Interval: interval(flags, 'interval'),
      Timeout: interval(flags, 'timeout'),
      StartPeriod: interval(flags, 'start-period'),
      StartInterval: interval(flags, 'start-interval'),
      Retries: retries(flags.text('retries')),
    }
    const given = Object.fromEntries(Object.entries(durations).filter(([, value]) => value !== 0))
    return { kind: 'HEALTHCHECK', healthcheck: { Test: [isShell ? 'CMD-SHELL' : 'CMD', ...args], ...given } }
  })
}

/** Docker accepts nothing between zero, which means "the default", and a millisecond. */
function interval(flags: Flags, name: string): number {
  const text = flags.text(name)
  const nanoseconds = text === undefined || text === '' ? 0 : parseDuration(text)
  if (nanoseconds !== 0 && nanoseconds < 1e6)
    throw new Error(`Interval ${JSON.stringify(name)} cannot be less than 1ms`)
  return nanoseconds
}

function retries(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const count = Number(text)
  if (count < 0) throw new Error(`--retries cannot be negative (${count})`)
  return count
}

function parseOnbuild(raw: RawInstruction, escape: string): Metadata {
  if (raw.rest === '') throw new Error('ONBUILD requires at least one argument')
  const trigger = splitKeyword(raw.rest, raw.line)
  const keyword = trigger.keyword.toUpperCase()
  if (keyword === 'ONBUILD') throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (keyword === 'FROM' || keyword === 'MAINTAINER') throw new Error(`${keyword} isn't allowed as an ONBUILD trigger`)
  parseInstruction({ ...trigger, heredocs: raw.heredocs }, escape)
  const bodies = raw.heredocs.map(({ content, name }) => `\n${content}${name}`).join('')
  return { kind: 'ONBUILD', trigger: raw.original.replace(/^\s*onbuild\s*/i, '') + bodies }
}

function commandLine(text: string): CommandLine {
  const list = parseJsonForm(text)
  if (list) return { args: list, isShell: false }
  return { args: text === '' ? [] : [text], isShell: true }
}

function withFlags<T>(raw: RawInstruction, known: Record<string, FlagKind>, build: (flags: Flags) => T): T {
  return build(new Flags(raw.flags, known))
}

function atLeastOne(words: string[], keyword: string): string[] {
  if (words.length === 0) throw new Error(`${keyword} requires at least one argument`)
  return words
}

function exactlyOne(raw: RawInstruction, keyword: string): string {
  if (raw.rest === '') throw new Error(`${keyword} requires exactly one argument`)
  return raw.rest
}
