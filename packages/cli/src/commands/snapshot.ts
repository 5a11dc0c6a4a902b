/**
 * `dinghy snapshot save|restore|list|rm`: a copy of a stopped cluster, and the way back to it. Everything a cluster
 * knows is in its state directory, so a copy of that directory is a copy of the cluster: objects, history, images,
 * volumes.
 *
 * A copy goes back only to where it was taken: volumes and containers know their directories by absolute paths.
 */

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { systemClock } from '@dinghy/shared/api/clock'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import type { StateDir } from '../cluster/state-dir.ts'
import { runtimeLauncher } from '../supervisor/launchers.ts'
import { askStatus } from '../supervisor/control-client.ts'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { showWhile } from '@dinghy/clients/command-line/status-line'

export function snapshot(): Command {
  return clusterCommand('snapshot', ['dinghy snapshot save before-lab-3', 'dinghy snapshot restore before-lab-3'])
    .description('Keep a copy of a stopped cluster, and go back to it. `dinghy down --wipe` leaves copies alone.')
    .addCommand(verb('save', 'Copy the stopped cluster.', save))
    .addCommand(
      verb('restore', 'Make the cluster again as it was; there must be none (`dinghy down --wipe`).', restore),
    )
    .addCommand(verb('rm', 'Remove a copy.', remove))
    .addCommand(
      clusterCommand('list', ['dinghy snapshot list'])
        .description('Name the copies of a cluster.')
        .action(exitWith(list)),
    )
}

type Act = (state: StateDir, name: string) => Promise<string>

function verb(name: string, description: string, act: Act): Command {
  return clusterCommand(name, [`dinghy snapshot ${name} before-lab-3`])
    .description(description)
    .argument('<name>', 'of the copy: up to 64 of a-z, A-Z, 0-9, ., _ and -')
    .action(
      exitWith(async (options: ClusterOptions, snapshot) => {
        const state = stateOf(options)
        if (!/^[\w-][\w.-]{0,63}$/.test(snapshot ?? '')) throw new UsageError(`"${snapshot}" is no name for a copy`)
        const done = await showWhile(act(state, snapshot ?? ''), () => `copying ${state.root}`, { clock: systemClock })
        console.log(done)
        return 0
      }),
    )
}

async function refuseRunning(state: StateDir): Promise<void> {
  if (await askStatus(state)) throw new Error('the cluster is running; stop it first with `dinghy down`')
}

/** Written last: a copy without it was cut off half-way. */
const originFile = '.origin'

async function save(state: StateDir, name: string): Promise<string> {
  await refuseRunning(state)
  const config = state.readConfig()
  if (!config) throw new Error(`there is no cluster in ${state.root}; \`dinghy up\` makes it`)
  const copy = state.snapshot(name)
  if (existsSync(copy))
    throw new Error(`there is a copy "${name}" already; remove it with \`dinghy snapshot rm ${name}\``)
  mkdirSync(dirname(copy), { recursive: true, mode: 0o700 })
  await copyTree(state.root, copy, state, config.driver)
  writeFileSync(join(copy, originFile), state.root)
  return `saved "${name}" in ${copy}`
}

async function restore(state: StateDir, name: string): Promise<string> {
  await refuseRunning(state)
  const copy = existing(state, name)
  const origin = existsSync(join(copy, originFile)) ? readFileSync(join(copy, originFile), 'utf8') : undefined
  if (origin === undefined)
    throw new Error(`the copy "${name}" is not whole; remove it with \`dinghy snapshot rm ${name}\``)
  if (origin !== state.root) throw new Error(`"${name}" was taken of ${origin}, and goes back only to there`)
  if (existsSync(state.config))
    throw new Error(`there is a cluster in ${state.root}; \`dinghy down --wipe\` removes it`)
  if (existsSync(state.root) && readdirSync(state.root).length > 0) throw new Error(`${state.root} is not empty`)
  rmSync(state.root, { recursive: true, force: true })
  await copyTree(copy, state.root, state, 'auto')
  rmSync(join(state.root, originFile))
  return `restored "${name}"; \`dinghy up\` resumes it`
}

async function remove(state: StateDir, name: string): Promise<string> {
  await removeTree(existing(state, name))
  return `removed "${name}"`
}

function list(options: ClusterOptions): number {
  const directory = dirname(stateOf(options).snapshot('any'))
  for (const name of existsSync(directory) ? readdirSync(directory).toSorted() : []) {
    const isWhole = existsSync(join(directory, name, originFile))
    const at = statSync(join(directory, name, isWhole ? originFile : '.'))
      .mtime.toISOString()
      .slice(0, 16)
      .replace('T', ' ')
    console.log(`${name.padEnd(24)} ${at}${isWhole ? '' : '  (not whole)'}`)
  }
  return 0
}

function existing(state: StateDir, name: string): string {
  const copy = state.snapshot(name)
  if (!existsSync(copy)) throw new Error(`there is no copy "${name}"; \`dinghy snapshot list\` names those there are`)
  return copy
}

/**
 * By cp, which keeps owners, modes, links, holes and extended attributes; as whoever the containers' files belong to.
 */
async function copyTree(from: string, to: string, state: StateDir, driver: string): Promise<void> {
  mkdirSync(to, { recursive: true, mode: 0o700 })
  // What is in it, and not the directory: the launcher may have made a part of the target already.
  const [program, ...args] = [...runtimeLauncher(state.runtimeRoot, driver), 'cp', '-a', `${from}/.`, to]
  await promisify(execFile)(program, args)
}
