/**
 * Where variables come from, and which files make a project: `.env`, --env-file, COMPOSE_FILE, the default names.
 * The shell's own environment wins over every file.
 */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ComposeError, NoComposeFileError } from '../compose-error.ts'
import { parseDotenv } from './dotenv.ts'
import type { Environment } from './interpolate.ts'

/** The names that are looked for, in this order, and what is put on top of each when it is there. */
const defaultNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']
function overrideOf(name: string): string {
  return name.replace(/\.(ya?ml)$/, '.override.$1')
}

export interface Found {
  files: string[]
  /** Where relative paths start. */
  directory: string
  env: Environment
}

export interface Search {
  files: string[]
  projectDirectory?: string | undefined
  envFiles: string[]
  env: Environment
  /** Where the search for a compose file starts. */
  cwd: string
}

/** Throws when there is no compose file here nor in any directory above. */
export function findProject({ files, projectDirectory, envFiles, env: shell, cwd }: Search): Found {
  const given = envFiles.map((file) => resolve(cwd, file))
  const environmentAt = (directory: string): Environment => {
    const found = given.length > 0 ? given : [join(directory, '.env')].filter((file) => existsSync(file))
    const fromFiles: Record<string, string> = {}
    for (const file of found) Object.assign(fromFiles, readEnvFile(file, { ...fromFiles, ...shell }))
    return { ...fromFiles, ...shell }
  }
  const early = environmentAt(resolve(cwd, projectDirectory ?? dirname(files[0] ?? 'here')))
  const found = files.length > 0 ? files.map((file) => absolute(file, cwd)) : filesOf(early, cwd)
  const directory = resolve(cwd, projectDirectory ?? (found[0] === '-' ? '.' : dirname(found[0] ?? '.')))
  return { files: found, directory, env: environmentAt(directory) }
}

function filesOf(env: Environment, cwd: string): string[] {
  const named = env['COMPOSE_FILE']
  if (named) return named.split(env['COMPOSE_PATH_SEPARATOR'] ?? ':').map((file) => absolute(file, cwd))
  for (let directory = cwd; ; directory = dirname(directory)) {
    const name = defaultNames.find((candidate) => existsSync(join(directory, candidate)))
    if (name !== undefined) {
      const override = join(directory, overrideOf(name))
      return [join(directory, name), ...(existsSync(override) ? [override] : [])]
    }
    if (directory === dirname(directory)) throw new NoComposeFileError('no configuration file provided: not found')
  }
}

function absolute(file: string, cwd: string): string {
  return file === '-' ? file : resolve(cwd, file)
}

/** Throws when the file is not there. `env` is what its values may use. */
export function readEnvFile(path: string, env: Environment): Record<string, string> {
  if (!existsSync(path)) throw new ComposeError(`env file ${path} not found`)
  try {
    return parseDotenv(readFileSync(path, 'utf8'), env)
  } catch (error) {
    throw new ComposeError(`failed to read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** `format: raw`: every line is NAME=value as it stands. */
export function readRawEnvFile(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').split('\n')
  const pairs = lines.filter((line) => /^[^#=\s][^=]*=/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2))
  return Object.fromEntries(pairs) as Record<string, string>
}
