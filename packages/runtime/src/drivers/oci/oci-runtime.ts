/**
 * The program that does the work: runc, crun, or another with their command line. Each call is a process of its own;
 * what it knows of its containers is in a state directory that belongs to this driver.
 */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { which } from '../linux/tools.ts'
import { toolEnvironment } from '../../tool-environment.ts'

/** In the order in which they are looked for: crun starts a container in less time. */
const knownOptions = ['crun', 'runc']

/** Where machines that use both versions of cgroups have the tree of version 2. */
const unified = '/sys/fs/cgroup/unified'

export class OciRuntime {
  /** An absolute path. */
  readonly binary: string
  /** "crun 1.8.1" */
  readonly version: string
  readonly #state: string
  /** What every call of it has to run under. */
  readonly #under: string[]

  /** `wanted` is a name or a path; empty for the first of the known ones. Throws what to do when there is none. */
  constructor(wanted: string, state: string) {
    const binary = isAbsolute(wanted) ? wanted : find(wanted === '' ? knownOptions : [wanted])
    let answer: string
    try {
      answer = execFileSync(binary, ['--version'], {
        env: toolEnvironment,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    } catch (error) {
      throw serverError(`the oci driver cannot use ${binary}: ${messageOf(error)}`)
    }
    this.binary = binary
    this.version = versionIn(answer) ?? basename(binary)
    this.#state = state
    this.#under = this.version.startsWith('crun ') && hasMixedCgroups() ? withoutUnified() : []
  }

  /** The command line of one call; `log` is where it writes what goes wrong. */
  command(args: string[], log?: string): string[] {
    return [
      ...this.#under,
      this.binary,
      '--root',
      this.#state,
      ...(log === undefined ? [] : ['--log', log, '--log-format', 'json']),
      ...args,
    ]
  }

  async call(args: string[]): Promise<void> {
    const [program = '', ...rest] = this.command(args)
    try {
      await promisify(execFile)(program, rest, { env: toolEnvironment })
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string }
      throw serverError(`${this.version} cannot ${args[0]} the container: ${stderr.trim() || messageOf(error)}`)
    }
  }

  /** What it has not forgotten, whether it runs or not. */
  ids(): string[] {
    return existsSync(this.#state) ? readdirSync(this.#state) : []
  }

  /** Makes it forget a container that has ended, or ends it. Idempotent. */
  async forget(id: string): Promise<void> {
    if (existsSync(join(this.#state, id))) await this.call(['delete', '--force', id])
  }
}

/** Whether version 2 has controllers of its own beside those of version 1. */
function hasMixedCgroups(): boolean {
  const file = join(unified, 'cgroup.controllers')
  return existsSync(file) && readFileSync(file, 'utf8').trim() !== ''
}

/** crun refuses such machines; without the second tree, which it has no need of, they are like any with version 1. */
function withoutUnified(): string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'umount -n "$0" && exec "$@"', unified]
}

function find(names: string[]): string {
  const found = names.map(which).find((path) => path !== undefined)
  if (found !== undefined) return found
  throw serverError(`the oci driver needs an OCI runtime, and ${names.join(' or ')} is not installed on this machine`)
}

/** The first line of `--version` is "<name> version <number>" of both. */
export function versionIn(answer: string): string | undefined {
  const [, name, number] = /^(\S+) version (\S+)/.exec(answer) ?? []
  return name && number && `${name} ${number}`
}

/** What went wrong, out of a log in JSON lines: its last error, without the frame that differs between them. */
export function failureIn(log: string): string | undefined {
  const messages = log.split('\n').flatMap((line) => {
    const entry = parse(line)
    return entry?.level === 'error' && typeof entry.msg === 'string' ? [entry.msg] : []
  })
  return messages
    .at(-1)
    ?.replace(/^runc (run|create) failed: /, '')
    .replace(/^unable to start container process: /, '')
    .replace(/^exec /, '')
}

function parse(line: string): { level?: unknown; msg?: unknown } | undefined {
  try {
    return JSON.parse(line) as { level?: unknown; msg?: unknown }
  } catch {
    // The last line may be cut off, and some warnings are plain text.
    return undefined
  }
}
