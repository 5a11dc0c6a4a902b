/**
 * `dinghy up --detach`: starts the same program again without a terminal, waits until it says that the cluster is
 * ready, and leaves it running. Meanwhile it says what is still missing.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, openSync, readFileSync } from 'node:fs'
import { systemClock } from '@dinghy/shared/api/clock'
import { diskTrouble } from '../cluster/disk.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { askStatus } from '../supervisor/control-client.ts'
import type { ClusterStatus } from '../supervisor/control-server.ts'
import { lastWords } from '../supervisor/last-words.ts'
import { dinghyWord } from './env.ts'
import { showWhile } from '@dinghy/clients/command-line/status-line'
import type { Plan } from './plan.ts'

/** What this process has seen to. */
const done = ['--detach', '-d', '--accept-data-loss']

export async function detach({ cluster }: Plan, state: StateDir, same: string): Promise<number> {
  const log = openSync(state.log('supervisor'), 'a', 0o600)
  const { size: alreadyThere } = fstatSync(log)
  const args = process.argv.slice(2).filter((arg) => !done.includes(arg))
  const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  const failed = once(child, 'exit').then(() => 'failed' as const)
  const ready = once(child, 'message').then(() => 'ready' as const)
  const describe = async () => missingText(await askStatus(state), state)
  const outcome = await showWhile(Promise.race([ready, failed]), describe, { clock: systemClock })
  if (outcome === 'failed') {
    // What the child printed, its own error last.
    const said = readFileSync(state.log('supervisor')).subarray(alreadyThere).toString().trimEnd()
    throw new Error(reasonIn(said) ?? `the cluster did not start: see ${state.log('supervisor')}`)
  }
  child.disconnect()
  child.unref()
  const status = await askStatus(state)
  console.log(`cluster "${cluster}" is ready at ${status?.server}\n\n  eval "$(${dinghyWord()} env${same})"`)
  return 0
}

/** The error of the supervisor, which it printed last. Pure. */
export function reasonIn(output: string): string | undefined {
  const last = output.split('\n').findLast((line) => line.startsWith('dinghy: '))
  return last?.slice('dinghy: '.length)
}

/** Which component is waited for, and why it takes so long. */
export function missingText(
  status: Pick<ClusterStatus, 'components'> | undefined,
  state: StateDir,
  disk: (directory: string) => string | undefined = diskTrouble,
): string | undefined {
  const trouble = disk(state.root)
  const missing = status?.components.find(({ ready, stopped }) => !ready && !stopped)
  if (!status || (!missing && trouble === undefined)) return trouble ?? 'still waiting for the nodes to become Ready'
  if (!missing) return trouble
  const { name, restarts } = missing
  const said = trouble ?? (restarts > 0 ? lastWords(state.log(name)) : undefined)
  const again = restarts > 0 ? `, restarted ${restarts}\u00d7` : ''
  return `still waiting for ${name}${again}${said === undefined ? '' : ` (${said})`}; see ${state.log(name)}`
}
