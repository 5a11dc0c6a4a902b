/**
 * From compose files to one tree: each is read, interpolated and given absolute paths, what it includes and extends is
 * brought in, and the next one is merged on top.
 *
 * As in compose, `extends` looks for a service in its own file (or the one it names), before any merging; and what an
 * `include` brings must not be defined a second time by the file that includes it.
 */

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ComposeError } from '../compose-error.ts'
import { readEnvFile } from './environment.ts'
import { type Environment, interpolateTree } from './interpolate.ts'
import { mergeTrees } from './merge.ts'
import { withAbsolutePaths } from './paths.ts'
import { readComposeFile } from './read.ts'
import { checkFields, isTree, listOf, oneOrMore, textOf, type Tree, treeOf } from './tree.ts'

/** What the files of one project, or of one include, have in common. */
export interface Origin {
  /** Where relative paths start. */
  directory: string
  env: Environment
  warn: (message: string) => void
  /** The files that led here, so that a circle is noticed. */
  chain: string[]
}

const sections = ['services', 'networks', 'volumes', 'secrets', 'configs'] as const
const topLevel = ['name', 'version', 'include', 'models', ...sections]

export function loadFiles(files: string[], origin: Origin): Tree {
  const merged = files.reduce<unknown>((tree, file) => mergeTrees(tree, loadFile(file, origin)), undefined)
  return isTree(merged) ? merged : {}
}

function loadFile(file: string, origin: Origin): Tree {
  if (origin.chain.includes(file))
    throw new ComposeError(`include cycle detected: ${[...origin.chain, file].join(' includes ')}`)
  const { include, ...own } = readTree(file, origin)
  const inner = { ...origin, chain: [...origin.chain, file] }
  const services = own['services']
  if (isTree(services)) {
    own['services'] = Object.fromEntries(
      Object.entries(services).map(([name, service]) => [name, withExtends(name, service, services, inner, [])]),
    )
  }
  return withIncluded(own, include, inner)
}

function readTree(file: string, { directory, env, warn }: Origin): Tree {
  const tree = interpolateTree(readComposeFile(file), { env, warn }) as Tree
  checkFields(tree, topLevel, file)
  if (tree['version'] !== undefined) warn(`${file}: the attribute \`version\` is obsolete, it will be ignored`)
  return withAbsolutePaths(tree, directory, env['HOME'])
}

function withIncluded(own: Tree, include: unknown, origin: Origin): Tree {
  const result = { ...own }
  for (const entry of listOf(include, 'include')) {
    const imported = loadIncluded(isTree(entry) ? entry : { path: textOf(entry, 'include') }, origin)
    for (const section of sections) {
      const [here, there] = [treeOf(result[section], section), treeOf(imported[section], section)]
      const clash = Object.keys(there).find((key) => key in here && !isDeepStrictEqual(here[key], there[key]))
      if (clash !== undefined) throw new ComposeError(`${section}.${clash} conflicts with imported resource`)
      if (Object.keys(there).length > 0) result[section] = { ...there, ...here }
    }
  }
  return result
}

function loadIncluded(entry: Tree, origin: Origin): Tree {
  const from = (path: unknown) => resolve(origin.directory, textOf(path, 'include.path'))
  const files = oneOrMore(entry['path'], 'include.path').map(from)
  const [first] = files
  if (first === undefined) throw new ComposeError('include.path is required')
  const base = entry['project_directory'] === undefined ? dirname(first) : from(entry['project_directory'])
  const defaults = existsSync(join(base, '.env')) ? [join(base, '.env')] : []
  const envFiles =
    entry['env_file'] === undefined ? defaults : oneOrMore(entry['env_file'], 'include.env_file').map(from)
  const fromFiles = envFiles.map((file) => readEnvFile(file, origin.env))
  const env = Object.assign({}, ...fromFiles, origin.env) as Environment
  return loadFiles(files, { ...origin, directory: base, env })
}

function withExtends(name: string, value: unknown, siblings: Tree, origin: Origin, path: string[]): Tree {
  if (!isTree(value)) throw new ComposeError(`services.${name} must be a mapping`)
  const { extends: extension, ...own } = value
  if (isTree(extension)) checkFields(extension, ['service', 'file'], `services.${name}.extends`)
  if (extension === undefined) return own
  const { service, file } = isTree(extension) ? extension : { service: extension, file: undefined }
  const parent = textOf(service, `services.${name}.extends.service`)
  const source =
    file === undefined ? undefined : resolve(origin.directory, textOf(file, `services.${name}.extends.file`))
  const step = `${source ?? origin.chain.at(-1)}#${parent}`
  if (path.includes(step)) throw new ComposeError(`circular reference: service "${name}" extends itself`)
  const there = source === undefined ? origin : { ...origin, directory: dirname(source), chain: [source] }
  const services = source === undefined ? siblings : treeOf(readTree(source, there)['services'], `${source}: services`)
  if (!(parent in services)) throw new ComposeError(`cannot extend service "${name}": service "${parent}" not found`)
  const inherited = withExtends(parent, services[parent], services, there, [...path, step])
  return mergeTrees(inherited, own, ['services', name]) as Tree
}
