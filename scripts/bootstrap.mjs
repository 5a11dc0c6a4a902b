/**
 * What a fresh clone needs before anything else can run: dependencies and a build. Plain Node, no dependencies,
 * because this is the file that installs them.
 *
 * Callers may rely on: after `prepare()` node_modules matches package-lock.json and packages/NAME/dist matches src.
 * It is quick when there is nothing to do: an install is skipped while the lockfile is the one last installed.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a command in the project's root, its output shown; ends this process with its code when it fails. */
export function run(title, command, args, env = {}) {
  console.log(`\u2192 ${title}`)
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
  })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** The path of a tool that the project's own dependencies installed. */
export function tool(name) {
  return join(root, 'node_modules', '.bin', name)
}

/**
 * SQLite's library, by the major version of Node (api-server/src/storage/sqlite-library.ts loads it). On Node 20 it is
 * fetched or compiled by its install script; the one for newer Nodes brings its binaries along and needs no script.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const needsScripts = major < 22
const sqlite = needsScripts ? 'better-sqlite3-node20' : 'better-sqlite3'

function isInstalled() {
  const marker = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(marker)) return false
  if (needsScripts && !existsSync(join(root, 'node_modules', sqlite, 'build', 'Release', 'better_sqlite3.node'))) {
    return false // installed by a newer Node, which left this one out
  }
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const have = JSON.parse(readFileSync(marker, 'utf8')).packages
  // The hidden lockfile lists what is really there; optional packages of other platforms are rightly missing.
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' ||
      entry.optional ||
      entry.link ||
      !path.includes('node_modules') ||
      have[path]?.version === entry.version,
  )
}

function install() {
  const waitsFor = needsScripts ? ' and compiling SQLite for Node 20, one to three minutes' : ', less than a minute'
  // Headers that lie beside Node are its own: with them nothing has to be downloaded to compile.
  const beside = dirname(dirname(process.execPath))
  const hasHeaders = existsSync(join(beside, 'include', 'node', 'node.h'))
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...(needsScripts ? [] : ['--ignore-scripts'])]
  run(`installing dependencies${waitsFor}`, 'npm', args, hasHeaders ? { npm_config_nodedir: beside } : {})
  const opens = `new (require('${sqlite}'))(':memory:')`
  const { status } = spawnSync(process.execPath, ['-e', opens], { cwd: root, stdio: 'ignore' })
  if (status === 0) return
  console.error(
    `\nSQLite's library cannot be used: it could be neither fetched nor compiled for Node ${process.version}.`,
  )
  console.error(
    needsScripts
      ? 'Use Node 22 or newer, for which it comes ready made, or install what compiles it: python3, make and g++.'
      : `It comes ready made for Linux, macOS and Windows on x64 and arm64; this is ${process.platform} on ${process.arch}.`,
  )
  const headers = hasHeaders ? beside : 'the directory that holds include/node/node.h (without it they are downloaded)'
  console.error(`To see why: npm ci --foreground-scripts --nodedir=${headers}`)
  process.exit(1)
}

export function prepare() {
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Dinghy needs Node 20.19 or newer; this is ${process.version}. See .nvmrc.`)
    process.exit(1)
  }
  if (!isInstalled()) install()
  run('building', process.execPath, [join(root, 'scripts', 'bundle.mjs')])
}
