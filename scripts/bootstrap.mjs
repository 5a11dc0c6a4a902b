/**
 * What a fresh clone needs before anything else can run: dependencies and a build. Plain Node, no dependencies,
 * because this is the file that installs them.
 *
 * Callers may rely on: after `prepare()` node_modules matches package-lock.json and packages/NAME/dist matches src.
 * It is quick when there is nothing to do: an install is skipped while the lockfile is the one last installed.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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

/** Which Node's binary interface the native addons were built for: another major version of Node needs them anew. */
const builtFor = join(root, 'node_modules', '.built-for-abi')

function isInstalled() {
  const marker = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(marker)) return false
  if (existsSync(builtFor) && readFileSync(builtFor, 'utf8') !== process.versions.modules) return false
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

export function prepare() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Dinghy needs Node 20.19 or newer; this is ${process.version}. See .nvmrc.`)
    process.exit(1)
  }
  if (!isInstalled()) run('installing dependencies', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(builtFor, process.versions.modules)
  run('building', tool('tsc'), ['-b'])
  run('bundling', process.execPath, [join(root, 'scripts', 'bundle.mjs')])
}
