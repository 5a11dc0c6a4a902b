// Loading a project: find the files, read the environment, interpolate, follow `include` and `extends`, merge, choose
// by profile, normalise. Reading files is all this does to the world.

import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Project, Service } from '../model.ts'
import { parseDotenv } from './dotenv.ts'
import { type Environment, interpolateTree } from './interpolate.ts'
import { isTree, mergeTrees } from './merge.ts'
import {
  ComposeError,
  normalizeFileSource,
  normalizeNetwork,
  normalizeService,
  normalizeVolume,
  type NormalizeContext,
} from './normalize.ts'
import { defaultNames, overrideNames, readComposeFile } from './read.ts'

export interface LoadOptions {
  files: string[]
  projectName?: string | undefined
  projectDirectory?: string | undefined
  envFiles: string[]
  profiles: string[]
  env: Environment
  /** Where the search for a compose file starts. */
  cwd: string
  warn: (message: string) => void
}

type Tree = Record<string, unknown>

const topLevel = ['name', 'version', 'services', 'networks', 'volumes', 'secrets', 'configs', 'include', 'models']

export function loadProject(options: LoadOptions): Project {
  const files = options.files.length > 0 ? options.files.map((file) => resolve(options.cwd, file)) : findFiles(options)
  const [first = ''] = files
  const directory = resolve(options.cwd, options.projectDirectory ?? dirname(first))
  const env = environmentOf(options, directory)
  const warned = new Set<string>()
  const warn = (message: string) => {
    if (!warned.has(message)) options.warn(message)
    warned.add(message)
  }
  const tree = loadTree(files, directory, env, warn, [])
  if (tree['version'] !== undefined) warn(`${first}: the attribute \`version\` is obsolete, it will be ignored`)
  const name = projectName(options, env, tree, directory)
  const context: NormalizeContext = {
    project: name,
    directory,
    env,
    readEnvFile: (path, required) => readEnvFile(path, required, env),
  }
  const services = mapTree(tree['services'], 'services', (key, value) =>
    normalizeService(key, withExtends(key, value, tree, directory, env, warn), context),
  )
  const project: Project = {
    name,
    directory,
    files,
    services: chosenByProfile(services, activeProfiles(options, env)),
    networks: mapTree(tree['networks'], 'networks', (key, value) => normalizeNetwork(key, value, name)),
    volumes: mapTree(tree['volumes'], 'volumes', (key, value) => normalizeVolume(key, value, name)),
    secrets: mapTree(tree['secrets'], 'secrets', (key, value) => normalizeFileSource('secrets', key, value, context)),
    configs: mapTree(tree['configs'], 'configs', (key, value) => normalizeFileSource('configs', key, value, context)),
  }
  addDefaultNetwork(project)
  checkReferences(project, services)
  return project
}

function findFiles({ cwd, env }: LoadOptions): string[] {
  if (env['COMPOSE_FILE']) {
    return env['COMPOSE_FILE'].split(env['COMPOSE_PATH_SEPARATOR'] ?? ':').map((file) => resolve(cwd, file))
  }
  for (let directory = cwd; ; directory = dirname(directory)) {
    const name = defaultNames.find((candidate) => existsSync(join(directory, candidate)))
    if (name !== undefined) {
      const override = join(directory, overrideNames[name] ?? '')
      return [join(directory, name), ...(existsSync(override) ? [override] : [])]
    }
    if (directory === dirname(directory)) throw new ComposeError('no configuration file provided: not found')
  }
}

function environmentOf({ envFiles, env, cwd }: LoadOptions, directory: string): Environment {
  const files =
    envFiles.length > 0
      ? envFiles.map((file) => resolve(cwd, file))
      : [join(directory, '.env')].filter((file) => existsSync(file))
  const fromFiles: Record<string, string> = {}
  for (const file of files) Object.assign(fromFiles, readEnvFile(file, true, { ...fromFiles, ...env }))
  return { ...fromFiles, ...env }
}

function readEnvFile(path: string, required: boolean, env: Environment): Record<string, string> | undefined {
  if (!existsSync(path)) {
    if (required) throw new ComposeError(`env file ${path} not found`)
    return undefined
  }
  try {
    return parseDotenv(readFileSync(path, 'utf8'), env)
  } catch (error) {
    throw new ComposeError(`failed to read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function loadTree(
  files: string[],
  directory: string,
  env: Environment,
  warn: (message: string) => void,
  chain: string[],
): Tree {
  let merged: unknown
  for (const file of files) {
    if (chain.includes(file)) throw new ComposeError(`include cycle detected: ${[...chain, file].join(' includes ')}`)
    if (!existsSync(file)) throw new ComposeError(`open ${file}: no such file or directory`)
    const tree = interpolateTree(readComposeFile(file), { env, warn }) as Tree
    for (const field of Object.keys(tree)) {
      if (!topLevel.includes(field) && !field.startsWith('x-'))
        throw new ComposeError(`validating ${file}: additional properties '${field}' not allowed`)
    }
    const { include, ...own } = tree
    merged = mergeTrees(mergeTrees(merged, included(include, directory, env, warn, [...chain, file])), own)
  }
  return isTree(merged) ? merged : {}
}

function included(
  include: unknown,
  directory: string,
  env: Environment,
  warn: (message: string) => void,
  chain: string[],
): Tree {
  let merged: unknown = {}
  for (const entry of Array.isArray(include) ? include : []) {
    const { path, project_directory, env_file } = isTree(entry)
      ? entry
      : { path: entry, project_directory: undefined, env_file: undefined }
    const files = [path].flat().map((file) => resolve(directory, String(file)))
    const base =
      project_directory === undefined ? dirname(files[0] ?? directory) : resolve(directory, String(project_directory))
    const extra = [env_file].flat().filter((file) => file !== undefined)
    const more = extra.map((file) => readEnvFile(resolve(directory, String(file)), true, env) ?? {})
    const tree = loadTree(files, base, Object.assign({}, ...more, env) as Environment, warn, chain)
    merged = mergeTrees(merged, absolutePaths(tree, base))
  }
  return merged as Tree
}

// An included or extended file's relative paths start at its own directory, so they are fixed before merging.
function absolutePaths(tree: Tree, base: string): Tree {
  const services = isTree(tree['services']) ? tree['services'] : {}
  const moved = Object.fromEntries(
    Object.entries(services).map(([name, service]) => [name, isTree(service) ? movedService(service, base) : service]),
  )
  return { ...tree, services: moved }
}

function movedService(service: Tree, base: string): Tree {
  const moved = { ...service }
  const path = (value: unknown) => resolve(base, String(value))
  if (typeof moved['build'] === 'string') moved['build'] = path(moved['build'])
  else if (isTree(moved['build']))
    moved['build'] = { ...moved['build'], context: path(moved['build']['context'] ?? '.') }
  if (moved['env_file'] !== undefined) {
    moved['env_file'] = [moved['env_file']]
      .flat()
      .map((file) => (isTree(file) ? { ...file, path: path(file['path']) } : path(file)))
  }
  if (Array.isArray(moved['volumes'])) {
    moved['volumes'] = moved['volumes'].map((mount) =>
      typeof mount === 'string' && /^\.{1,2}(\/|:|$)/.test(mount) ? mount.replace(/^[^:]+/, path) : mount,
    )
  }
  return moved
}

function withExtends(
  name: string,
  value: unknown,
  tree: Tree,
  directory: string,
  env: Environment,
  warn: (message: string) => void,
  chain: string[] = [],
): Tree {
  if (!isTree(value)) throw new ComposeError(`services.${name} must be a mapping`)
  const { extends: extension, ...own } = value
  if (extension === undefined) return own
  const { service, file } = isTree(extension) ? extension : { service: extension, file: undefined }
  const parent = String(service)
  const origin = `${String(file ?? '')}#${parent}`
  if (chain.includes(origin)) throw new ComposeError(`circular reference: service "${name}" extends itself`)
  const base = file === undefined ? directory : dirname(resolve(directory, String(file)))
  const source =
    file === undefined ? tree : absolutePaths(loadTree([resolve(directory, String(file))], base, env, warn, []), base)
  const services = isTree(source['services']) ? source['services'] : {}
  if (!(parent in services)) throw new ComposeError(`cannot extend service "${name}": service "${parent}" not found`)
  const inherited = withExtends(parent, services[parent], source, base, env, warn, [...chain, origin])
  return mergeTrees(inherited, own) as Tree
}

function projectName({ projectName }: LoadOptions, env: Environment, tree: Tree, directory: string): string {
  const explicit = projectName ?? env['COMPOSE_PROJECT_NAME'] ?? (tree['name'] as string | undefined)
  const name =
    explicit ??
    basename(directory)
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]/g, '')
      .replace(/^[_-]+/, '')
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) {
    throw new ComposeError(
      `invalid project name "${name}": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
    )
  }
  return name
}

function activeProfiles({ profiles }: LoadOptions, env: Environment): string[] {
  return [...profiles, ...(env['COMPOSE_PROFILES'] ?? '').split(',').filter(Boolean)]
}

/** Pure: a service without profiles is always on; one with profiles when one of them is. */
export function chosenByProfile(services: Record<string, Service>, active: string[]): Record<string, Service> {
  const isOn = ({ profiles }: Service) =>
    profiles.length === 0 || active.includes('*') || profiles.some((profile) => active.includes(profile))
  return Object.fromEntries(Object.entries(services).filter(([, service]) => isOn(service)))
}

function addDefaultNetwork(project: Project): void {
  const isUsed = Object.values(project.services).some((service) => 'default' in service.networks)
  if (isUsed) project.networks['default'] ??= normalizeNetwork('default', undefined, project.name)
}

function checkReferences(project: Project, all: Record<string, Service>): void {
  for (const service of Object.values(project.services)) {
    const undefinedName = (kind: string, name: string) =>
      new ComposeError(`service "${service.name}" refers to undefined ${kind} ${name}: invalid compose project`)
    for (const network of Object.keys(service.networks))
      if (!(network in project.networks)) throw undefinedName('network', network)
    for (const { type, source } of service.volumes) {
      if (type === 'volume' && source !== undefined && !(source in project.volumes))
        throw undefinedName('volume', source)
    }
    for (const { source } of service.secrets) if (!(source in project.secrets)) throw undefinedName('secret', source)
    for (const { source } of service.configs) if (!(source in project.configs)) throw undefinedName('config', source)
    for (const [name, { required }] of Object.entries(service.depends_on)) {
      if (name in project.services) continue
      if (required) {
        throw new ComposeError(
          `service "${service.name}" depends on ${name in all ? `service "${name}", whose profile is not active` : `undefined service "${name}"`}: invalid compose project`,
        )
      }
      delete service.depends_on[name]
    }
  }
  startOrder(project.services)
}

/** Services level by level: each level needs only those before it. Throws on a cycle. Pure. */
export function startOrder(services: Record<string, Service>): Service[][] {
  const levels: Service[][] = []
  const placed = new Set<string>()
  let left = Object.values(services)
  while (left.length > 0) {
    const level = left.filter(({ depends_on }) =>
      Object.keys(depends_on).every((name) => placed.has(name) || !(name in services)),
    )
    if (level.length === 0)
      throw new ComposeError(`dependency cycle detected: ${left.map(({ name }) => name).join(' -> ')}`)
    for (const { name } of level) placed.add(name)
    levels.push(level)
    left = left.filter(({ name }) => !placed.has(name))
  }
  return levels
}

function mapTree<T>(value: unknown, at: string, convert: (key: string, value: unknown) => T): Record<string, T> {
  if (value === undefined || value === null) return {}
  if (!isTree(value)) throw new ComposeError(`${at} must be a mapping`)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, convert(key, child)]))
}
