/**
 * `dinghy down`: stops the cluster and every container; --wipe also removes its state directory.
 *
 * It always ends, whatever hangs: components that do not stop are killed, so is a runtime that does not answer, and
 * so is a supervisor; what had to be killed is said.
 */

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '@dinghy/shared/api/clock'
import { parseDuration } from '@dinghy/shared/api/duration'
import { type ClusterConfig, DamagedConfig, type StateDir } from '../cluster/state-dir.ts'
import { removeMachines } from '../machines/machines.ts'
import { askStatus, askWaiting, HungSupervisor, killSupervisor, stopCluster } from '../supervisor/control-client.ts'
import { stopOrphans } from '../supervisor/orphans.ts'
import { killStrays } from '../supervisor/strays.ts'
import type { StopOptions, StopReport } from '../supervisor/supervisor.ts'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { showWhile, some } from '@dinghy/clients/command-line/status-line'

interface DownOptions extends ClusterOptions {
  wipe?: boolean
  grace: string
}

export function down(): Command {
  return clusterCommand('down', ['dinghy down', 'dinghy down --wipe'])
    .description('Stop a cluster and its containers; everything is kept, and `dinghy up` resumes it.')
    .option('--wipe', 'kill at once instead, and remove everything of the cluster')
    .option('--grace <duration>', "what a pod may take to end, if its own grace period isn't shorter", '5s')
    .action(exitWith(run))
}

async function run(options: DownOptions): Promise<number> {
  const state = stateOf(options)
  const isWipe = options.wipe ?? false
  const stopping = { graceMs: graceOf(options.grace), atOnce: isWipe }
  await stop(state, stopping)
  return isWipe ? wipe(state) : 0
}

function graceOf(text: string): number {
  const graceMs = parseDuration(text)
  if (graceMs === undefined || graceMs < 0) throw new UsageError(`--grace takes a duration such as 5s, not "${text}"`)
  return graceMs
}

async function stop(state: StateDir, stopping: StopOptions): Promise<void> {
  try {
    const running = await askStatus(state)
    if (!running) return await stopLeft(state, stopping)
    const describe = async () => waitingText(await askWaiting(state))
    const report = await showWhile(stopCluster(state, stopping), describe, { clock: systemClock })
    tell(report)
    console.log(`stopped cluster "${running.cluster}"`)
  } catch (error) {
    if (!(error instanceof HungSupervisor)) throw error
    console.error(`the supervisor did not answer: killed it (process ${killSupervisor(state)})`)
    await stopLeft(state, stopping)
  }
}

/** What a supervisor that was killed has left running. */
async function stopLeft(state: StateDir, stopping: StopOptions): Promise<void> {
  const config = configOf(state, stopping.atOnce ?? false)
  let left: string[] = []
  const graceMs = stopping.atOnce ? 0 : stopping.graceMs
  const work = config
    ? stopOrphans(config, state, { graceMs, onWaiting: (names) => (left = names) }, systemClock)
    : Promise.resolve(0)
  const orphans = await showWhile(work, () => waitingText(left), { clock: systemClock })
  await removeMachines(state.machines, config?.network === 'machines' ? config.slot : undefined)
  if (orphans > 0) console.log(`stopped ${orphans} containers that a killed supervisor had left running`)
  else if (!stopping.atOnce) console.log(`no cluster is running in ${state.root}`)
}

function waitingText(names: string[]): string | undefined {
  return names.length === 0 ? undefined : `stopping: waiting for ${some(names)}`
}

function tell({ killed, stays, containersLeft }: StopReport): void {
  if (containersLeft) console.error('the runtime does not answer, so containers may still run; `dinghy up` finds them')
  if (killed.length > 0) console.error(`did not stop when asked, so they were killed: ${killed.join(', ')}`)
  if (stays.length > 0) console.error(`not even SIGKILL ended them (they wait in the kernel): ${stays.join(', ')}`)
}

async function wipe(state: StateDir): Promise<number> {
  // Only what `up` made is removed: a directory without our configuration file was never a cluster.
  if (!existsSync(state.config)) {
    console.error(`${state.root} holds no cluster; nothing was removed`)
    return 1
  }
  const strays = await killStrays(state.runtimeRoot)
  if (strays > 0) console.error(`killed ${strays} processes of containers that the runtime had left`)
  const removing = state.wipe()
  const others = await showWhile(removing, () => `removing ${state.root}`, { clock: systemClock })
  if (others.length === 0) console.log(`removed ${state.root}`)
  else console.log(`removed the cluster from ${state.root}, where other things lie: ${others.join(', ')}`)
  return 0
}

function configOf(state: StateDir, isWipe: boolean): ClusterConfig | undefined {
  try {
    return state.readConfig()
  } catch (error) {
    // A damaged file must not keep anybody from wiping the cluster, containers included.
    if (isWipe && error instanceof DamagedConfig) return { cluster: '', slot: 0, apiPort: 0, nodes: [], driver: 'auto' }
    throw error
  }
}
