// What a verb of `dinghy compose` is, and what it is given.

import type { ParseArgsConfig } from 'node:util'
import type { Flags } from '../commands/command.ts'
import type { Engine } from '../docker/engine.ts'
import type { Project, Service } from './model.ts'
import { ComposeError } from './load/normalize.ts'

export interface ComposeContext {
  engine: Engine
  project: Project
  flags: Flags
  args: string[]
}

export interface ComposeVerb {
  usage: string
  flags?: NonNullable<ParseArgsConfig['options']>
  stopsAtFirstWord?: boolean
  run(context: ComposeContext): Promise<number>
}

/** The named services, or all. */
export function chosenServices({ services }: Project, names: string[]): Service[] {
  if (names.length === 0) return Object.values(services)
  return names.map((name) => serviceNamed(services, name))
}

/** The named services and everything they depend on, so that `up web` brings its database along. */
export function withDependencies({ services }: Project, names: string[]): Record<string, Service> {
  if (names.length === 0) return services
  const chosen: Record<string, Service> = {}
  const add = (name: string) => {
    if (chosen[name]) return
    const service = serviceNamed(services, name)
    chosen[name] = service
    Object.keys(service.depends_on).forEach(add)
  }
  names.forEach(add)
  return chosen
}

export function serviceNamed(services: Record<string, Service>, name: string): Service {
  const service = services[name]
  if (!service) throw new ComposeError(`no such service: ${name}`)
  return service
}
