/**
 * What a verb of `dinghy compose` is, and what it is given.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Flags, VerbShape } from '@dinghy/clients/command-line/verbs'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { ComposeError } from './compose-error.ts'
import type { Project, Service } from './model.ts'

export interface ComposeContext {
  engine: DockerEngine
  project: Project
  clock: Clock
  flags: Flags
  args: string[]
  /** Aborted by Ctrl-C, unless the verb has taken that key for itself. */
  signal: AbortSignal
}

export interface ComposeVerb extends VerbShape {
  /** Its words are no names of services. */
  takesPaths?: boolean
  /** Needs no file: with -p alone, the project is what its containers say it is. */
  worksWithoutFile?: boolean
  run(context: ComposeContext): Promise<number>
}

export type Services = Record<string, Service>

/** The named services, or all. */
export function chosenServices({ services }: Project, names: string[]): Services {
  if (names.length === 0) return services
  return Object.fromEntries(names.map((name) => [name, serviceNamed(services, name)]))
}

/** The named services and everything they depend on, so that `up web` brings its database along. */
export function withDependencies({ services }: Project, names: string[]): Services {
  if (names.length === 0) return services
  const chosen: Services = {}
  const add = (name: string) => {
    if (chosen[name]) return
    const service = serviceNamed(services, name)
    chosen[name] = service
    Object.keys(service.depends_on).forEach(add)
  }
  names.forEach(add)
  return chosen
}

export function serviceNamed(services: Services, name: string): Service {
  const service = services[name]
  if (!service) throw new ComposeError(`no such service: ${name}`)
  return service
}

/** A flag that is a number, such as -t. */
export function numberFlag(flags: Flags, name: string): number | undefined {
  const value = flags[name]
  if (value === undefined) return undefined
  const number = Number(value)
  if (!Number.isInteger(number)) throw new ComposeError(`--${name} takes a number, not "${String(value)}"`)
  return number
}
