/**
 * Loading a project: find the files, read them into one tree, choose by profile, normalise, check that every name that
 * is used is defined. Reading files is all this does to the world.
 */

import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { ComposeError } from '../compose-error.ts'
import type { Project, Service } from '../model.ts'
import { checkAcyclic } from '../order.ts'
import { findProject, readEnvFile, readRawEnvFile, type Search } from './environment.ts'
import { loadFiles } from './files.ts'
import type { Environment } from './interpolate.ts'
import { normalizeFileSource, normalizeNetwork, normalizeVolume } from './normalize-resources.ts'
import { type NormalizeContext, normalizeService } from './normalize.ts'
import { listOf, textOf, textsOf, type Tree, treeOf } from './tree.ts'

export interface LoadOptions extends Search {
  projectName?: string | undefined
  profiles: string[]
  /** Services named on the command line: their profiles count as active. */
  targets?: string[]
  warn: (message: string) => void
}

export function loadProject(options: LoadOptions): Project {
  const { files, directory, env } = findProject(options)
  const warn = once(options.warn)
  const tree = loadFiles(files, { directory, env, warn, chain: [] })
  const name = projectName(options.projectName ?? env['COMPOSE_PROJECT_NAME'], tree, directory)
  const definitions = treeOf(tree['services'], 'services')
  const active = activeProfiles(options, env, definitions)
  // A service that is off need not even be right: its variables may be missing for the same reason that it is off.
  const [on, off] = partition(Object.entries(definitions), ([key, value]) => isActive(key, value, active))
  const context = normalizeContext(env)
  const services = Object.fromEntries(on.map(([key, value]) => [key, normalizeService(key, value, context)]))
  const project: Project = {
    name,
    directory,
    files,
    services,
    disabled: off.map(([key]) => key),
    networks: each(tree, 'networks', (key, value) => normalizeNetwork(key, value, name)),
    volumes: each(tree, 'volumes', (key, value) => normalizeVolume(key, value, name)),
    secrets: each(tree, 'secrets', (key, value) => normalizeFileSource('secrets', key, value, env)),
    configs: each(tree, 'configs', (key, value) => normalizeFileSource('configs', key, value, env)),
  }
  addDefaultNetwork(project)
  addLinkAliases(project, definitions)
  checkReferences(project)
  checkAcyclic(services)
  return project
}

function normalizeContext(env: Environment): NormalizeContext {
  return {
    env,
    readEnvFile: ({ path, required, format }) => {
      if (!required && !existsSync(path)) return {}
      return format === 'raw' ? readRawEnvFile(path) : readEnvFile(path, env)
    },
  }
}

function projectName(given: string | undefined, tree: Tree, directory: string): string {
  const fromFile = tree['name'] === undefined ? undefined : textOf(tree['name'], 'name')
  const fromDirectory = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')
  const name = given ?? fromFile ?? fromDirectory
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) {
    throw new ComposeError(
      `invalid project name "${name}": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
    )
  }
  return name
}

function activeProfiles({ profiles, targets = [] }: LoadOptions, env: Environment, services: Tree): Set<string> {
  const named = targets.flatMap((name) => profilesOf(name, services[name]))
  return new Set([...profiles, ...(env['COMPOSE_PROFILES'] ?? '').split(',').filter(Boolean), ...named])
}

/** A service without profiles is always on; one with profiles when one of them is. */
function isActive(name: string, value: unknown, active: Set<string>): boolean {
  const own = profilesOf(name, value)
  return own.length === 0 || active.has('*') || own.some((profile) => active.has(profile))
}

function profilesOf(name: string, value: unknown): string[] {
  return textsOf(treeOf(value, `services.${name}`)['profiles'], `services.${name}.profiles`)
}

function addDefaultNetwork(project: Project): void {
  const isUsed = Object.values(project.services).some((service) => 'default' in service.networks)
  if (isUsed) project.networks['default'] ??= normalizeNetwork('default', undefined, project.name)
}

// `links: [db:database]` gives db another name. Here everybody on their networks sees it, not only the one that links.
function addLinkAliases({ services }: Project, definitions: Tree): void {
  for (const service of Object.values(services)) {
    const { links } = treeOf(definitions[service.name], service.name)
    for (const link of listOf(links, 'links')) {
      const [target = '', alias] = String(link).split(':')
      if (alias === undefined) continue
      for (const [key, { aliases }] of Object.entries(services[target]?.networks ?? {}))
        if (key in service.networks) aliases.push(alias)
    }
  }
}

function checkReferences({ services, disabled, networks, volumes, secrets, configs }: Project): void {
  for (const service of Object.values(services)) {
    const check = (kind: string, name: string, known: object) => {
      if (!Object.hasOwn(known, name))
        throw new ComposeError(`service "${service.name}" refers to undefined ${kind} ${name}: invalid compose project`)
    }
    for (const network of Object.keys(service.networks)) check('network', network, networks)
    for (const { type, source } of service.volumes)
      if (type === 'volume' && source !== undefined) check('volume', source, volumes)
    for (const { source } of service.secrets) check('secret', source, secrets)
    for (const { source } of service.configs) check('config', source, configs)
    checkDependencies(service, services, disabled)
  }
}

function checkDependencies(service: Service, services: Record<string, Service>, disabled: string[]): void {
  for (const [name, { required }] of Object.entries(service.depends_on)) {
    if (name in services) continue
    if (!required) {
      delete service.depends_on[name]
      continue
    }
    const what = disabled.includes(name)
      ? `service "${name}", whose profile is not active`
      : `undefined service "${name}"`
    throw new ComposeError(`service "${service.name}" depends on ${what}: invalid compose project`)
  }
}

function each<T>(tree: Tree, section: string, convert: (key: string, value: unknown) => T): Record<string, T> {
  const entries = Object.entries(treeOf(tree[section], section))
  return Object.fromEntries(entries.map(([key, value]) => [key, convert(key, value)]))
}

function partition<T>(items: T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}

function once(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (!said.has(message)) warn(message)
    said.add(message)
  }
}
