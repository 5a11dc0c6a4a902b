/**
 * `dinghy up --detach`: starts the same program again without a terminal, waits until it says that the cluster is
 * ready, and leaves it running. Meanwhile it says what is still missing.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@dinghy/shared/api/clock'
import { withLateAuthorities } from '@dinghy/shared/http/extra-authorities'
import { diskTrouble } from '../cluster/disk.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from '../supervisor/components.ts'
import { askStatus } from '../supervisor/control-client.ts'
import type { ClusterStatus } from '../supervisor/control-server.ts'
import { lastWords } from '../supervisor/last-words.ts'
import { isNestedRoot, rootlessLauncher } from '../machines/user-namespace.ts'
import { snapshotFlags } from '../supervisor/snapshot.ts'
import { dinghyWord } from './env.ts'
import { showWhile } from '@dinghy/clients/command-line/status-line'
import type { Plan } from './plan.ts'

const ownBundle = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url))
/** The supervisor has other things to do than to answer how it goes. */
const patienceMs = 2_000
/** A start that takes so long is late, even if nothing has gone wrong that we know of. */
const lateMs = 8_000
/** What this process has seen to. */
const done = ['--detach', '-d', '--accept-data-loss']

export async function detach(
  { cluster, network = 'loopback', rootless }: Plan,
  state: StateDir,
  same: string,
): Promise<number> {
  const log = openSync(state.log('supervisor'), 'a', 0o600)
  const { size: alreadyThere } = fstatSync(log)
  // Decided and told by this process; the last of two options counts.
  const args = [...process.argv.slice(2).filter((arg) => !done.includes(arg)), `--network=${network}`]
  const launcher = rootless && !isNestedRoot() ? rootlessLauncher(state.runtimeRoot) : []
  const node = [process.execPath, ...snapshotFlags(ownBundle), process.argv[1] ?? '']
  const [program = '', ...words] = [...launcher, ...node, ...args]
  const child = spawn(program, words, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: withLateAuthorities(process.env),
  })
  const failed = once(child, 'exit').then(() => 'failed' as const)
  const ready = once(child, 'message').then(() => 'ready' as const)
  const startedAt = performance.now()
  const describe = async () => {
    const waitedMs = performance.now() - startedAt
    return waitedMs < patienceMs ? undefined : missingText(await askStatus(state), state, waitedMs)
  }
  const outcome = await showWhile(Promise.race([ready, failed]), describe, { clock: systemClock })
  if (outcome === 'failed') {
    // What the child printed, its own error last.
    const said = readFileSync(state.log('supervisor')).subarray(alreadyThere).toString().trimEnd()
    throw new Error(reasonIn(said) ?? `the cluster did not start: see ${state.log('supervisor')}`)
  }
  child.disconnect()
  child.unref()
  const config = state.readConfig()
  console.log(
    `cluster "${cluster}" is ready at ${config && apiServerUrl(config)}\n\n  eval "$(${dinghyWord()} env${same})"`,
  )
  return 0
}

/** The error of the supervisor, which it printed last. Pure. */
export function reasonIn(output: string): string | undefined {
  const last = output.split('\n').findLast((line) => line.startsWith('dinghy: '))
  return last?.slice('dinghy: '.length)
}

/** Which component is waited for, and why it takes so long. Nothing while there is nothing unusual to tell. */
export function missingText(
  status: Pick<ClusterStatus, 'components'> | undefined,
  state: StateDir,
  waitedMs: number,
  disk: (directory: string) => string | undefined = diskTrouble,
): string | undefined {
  const trouble = disk(state.root)
  const missing = status?.components.find(({ ready, stopped }) => !ready && !stopped)
  if (!missing) return trouble
  const { name, restarts } = missing
  if (trouble === undefined && restarts === 0 && waitedMs < lateMs) return undefined
  const said = trouble ?? (restarts > 0 ? lastWords(state.log(name)) : undefined)
  const again = restarts > 0 ? `, restarted ${restarts}\u00d7` : ''
  return `still waiting for ${name}${again}${said === undefined ? '' : ` (${said})`}; see ${state.log(name)}`
}
