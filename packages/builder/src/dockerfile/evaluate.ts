/**
 * What an instruction does to the image's config. Pure: the state goes in, the next state and Docker's comment on the
 * step come out. Instructions that also need files (RUN, COPY, ADD, WORKDIR) find their words expanded here.
 */
import { constants } from 'node:os'
import { posix } from 'node:path'
import type { OciImageConfig, RunConfig } from '@dinghy/images/content/oci'
import type { BuildArgs } from './build-args.ts'
import { formatDuration } from './duration.ts'
import type { Lookup } from './expand.ts'
import { expand, expandToWords } from './expand.ts'
import type { CommandLine, Copy, Metadata } from './instructions.ts'

export interface StageState {
  config: RunConfig
  author: string | undefined
  /** CMD was given in this stage: an ENTRYPOINT after it does not reset it. */
  cmdSet: boolean
  args: BuildArgs
  escape: string
}

interface Evaluated {
  state: StageState
  /** What stands behind `#(nop)` in the history. */
  comment: string
}

export const defaultShell = ['/bin/sh', '-c']

/** The state a stage starts from; the base's ONBUILD triggers have been taken over by then. */
export function initialState(base: OciImageConfig | undefined, args: BuildArgs, escape: string): StageState {
  const config: RunConfig = structuredClone(base?.config ?? {})
  delete config.OnBuild
  return { config, author: base?.author, cmdSet: false, args, escape }
}

/** Variables as an instruction sees them: ENV beats ARG. */
export function lookupIn({ config, args }: Pick<StageState, 'config' | 'args'>): Lookup {
  return (name) => envValue(config.Env, name) ?? args.get(name)
}

export function evaluate(state: StageState, command: Metadata): Evaluated {
  const word = (text: string): string => expand(text, lookupIn(state), state.escape)
  const change = (config: Partial<RunConfig>, comment: string): Evaluated => ({
    state: { ...state, config: { ...state.config, ...config } },
    comment,
  })
  switch (command.kind) {
    case 'ARG':
      return { state, comment: `ARG ${declareArgs(state, command.args).join(' ')}` }
    case 'ENV': {
      const pairs = command.pairs.map(([name, value]): [string, string] => [word(name), word(value)])
      const Env = pairs.reduce((env, [name, value]) => setEnv(env, name, value), state.config.Env ?? [])
      return change({ Env }, `ENV ${joinPairs(pairs)}`)
    }
    case 'LABEL': {
      const pairs = command.pairs.map(([name, value]): [string, string] => [word(name), word(value)])
      return change({ Labels: { ...state.config.Labels, ...Object.fromEntries(pairs) } }, `LABEL ${joinPairs(pairs)}`)
    }
    case 'MAINTAINER':
      return { state: { ...state, author: command.maintainer }, comment: `MAINTAINER ${command.maintainer}` }
    case 'CMD': {
      const Cmd = commandArgs(state.config, command)
      const next = change({ Cmd }, `CMD ${quotedList(Cmd)}`)
      return { ...next, state: { ...next.state, cmdSet: true } }
    }
    case 'ENTRYPOINT': {
      const Entrypoint = command.args.length === 0 ? null : commandArgs(state.config, command)
      return change(
        // The base's CMD was meant for the base's entrypoint.
        { Entrypoint, ...(!state.cmdSet ? { Cmd: null } : {}) },
        `ENTRYPOINT ${quotedList(Entrypoint ?? [])}`,
      )
    }
    case 'SHELL':
      return change({ Shell: command.shell }, `SHELL [${command.shell.join(' ')}]`)
    case 'USER': {
      const User = word(command.user)
      return change({ User }, `USER ${User}`)
    }
    case 'STOPSIGNAL': {
      const StopSignal = word(command.signal)
      if (!isSignal(StopSignal)) throw new Error(`Invalid signal: ${StopSignal}`)
      return change({ StopSignal }, `STOPSIGNAL ${StopSignal}`)
    }
    case 'EXPOSE': {
      const given = command.ports.flatMap((port) => expandToWords(port, lookupIn(state), state.escape))
      const ports = Object.fromEntries(
        given.flatMap(parsePort).map((port): [string, Record<string, never>] => [port, {}]),
      )
      return change({ ExposedPorts: { ...state.config.ExposedPorts, ...ports } }, `EXPOSE ${given.join(' ')}`)
    }
    case 'VOLUME': {
      const paths = command.paths.map(word)
      if (paths.includes('')) throw new Error('VOLUME specified can not be an empty string')
      const added = Object.fromEntries(paths.map((path): [string, Record<string, never>] => [path, {}]))
      return change({ Volumes: { ...state.config.Volumes, ...added } }, `VOLUME [${paths.join(' ')}]`)
    }
    case 'HEALTHCHECK': {
      const check = command.healthcheck
      const times = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval]
      const shown = times.map((time) => JSON.stringify(formatDuration(time ?? 0))).join(' ')
      return change(
        { Healthcheck: check },
        `HEALTHCHECK &{${quotedList(check.Test ?? [])} ${shown} ${check.Retries ?? 0}}`,
      )
    }
    default: // ONBUILD
      return change({ OnBuild: [...(state.config.OnBuild ?? []), command.trigger] }, `ONBUILD ${command.trigger}`)
  }
}

/** `WORKDIR path`: absolute, relative to the one before. */
export function workingDirectory(state: StageState, path: string): string {
  const expanded = expand(path, lookupIn(state), state.escape)
  if (expanded === '') throw new Error('cannot normalize nothing')
  return posix.join('/', posix.resolve(state.config.WorkingDir ?? '/', expanded))
}

/** COPY and ADD with every word expanded. A JSON form is expanded too, as in Docker. */
export function expandCopy(state: StageState, copy: Copy): Copy {
  const word = (text: string): string => expand(text, lookupIn(state), state.escape)
  const optional = (text: string | undefined): string | undefined => (text === undefined ? undefined : word(text))
  return {
    ...copy,
    sources: copy.sources.map(word),
    destination: word(copy.destination),
    chown: optional(copy.chown),
    chmod: optional(copy.chmod),
    checksum: optional(copy.checksum),
    exclude: copy.exclude.map(word),
  }
}

/** Exec form as it is, shell form wrapped in the image's SHELL. */
export function commandArgs(config: RunConfig, { args, isShell }: CommandLine): string[] {
  return isShell ? [...(config.Shell ?? defaultShell), ...args] : args
}

/** Build arguments that a RUN gets as environment: ENV of the same name wins. `NAME=value`, sorted. */
export function runArgs(config: RunConfig, args: Record<string, string>): string[] {
  return Object.entries(args)
    .filter(([name]) => envValue(config.Env, name) === undefined)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
}

export function envValue(env: readonly string[] | undefined, name: string): string | undefined {
  return env?.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** `["a" "b"]`, as Docker's history prints lists. */
function quotedList(list: readonly string[]): string {
  return `[${list.map((item) => JSON.stringify(item)).join(' ')}]`
}

function declareArgs(state: StageState, args: (Metadata & { kind: 'ARG' })['args']): string[] {
  return args.map(({ name, value }) => {
    // One after the other: `ARG A=1 B=$A` sees A.
    const fallback = value === undefined ? undefined : expand(value, lookupIn(state), state.escape)
    state.args.declare(name, fallback)
    return fallback === undefined ? name : `${name}=${fallback}`
  })
}

function setEnv(env: readonly string[], name: string, value: string): string[] {
  const pair = `${name}=${value}`
  const at = env.findIndex((existing) => existing.startsWith(`${name}=`))
  return at < 0 ? [...env, pair] : env.with(at, pair)
}

function joinPairs(pairs: [string, string][]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(' ')
}

/** `80`, `80/udp`, `8000-8010/tcp` → `80/tcp` and so on. */
function parsePort(text: string): string[] {
  const [ports = '', protocol = 'tcp'] = text.split('/')
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`)
  const [first = '', last = first] = ports.split('-')
  const [from, to] = [portNumber(first, text), portNumber(last, text)]
  if (to < from) throw new Error(`invalid containerPort: ${text}`)
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`)
}

function portNumber(text: string, whole: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
  if (port < 0 || port > 65535) throw new Error(`invalid containerPort: ${whole}`)
  return port
}

function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) > 0 && Number(text) <= 64
  const name = text.toUpperCase()
  return (name.startsWith('SIG') ? name : `SIG${name}`) in constants.signals || /^(?:SIG)?RTM(?:IN|AX)/.test(name)
}
