/**
 * `dinghy up`: starts a cluster, or resumes the one in the state directory with everything still there.
 * In the foreground it shows progress and stops everything on Ctrl-C; with --detach it returns once the cluster is
 * ready and leaves the supervisor running.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock } from '@dinghy/shared/api/clock'
import { writeKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { freeApiPort, isPortFree } from '../cluster/ports.ts'
import { holdSlot, preferredSlot } from '../cluster/slot.ts'
import type { ClusterConfig, NodeConfig, StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from '../supervisor/components.ts'
import { askStatus, serveControl } from '../supervisor/control-server.ts'
import { lastWords } from '../supervisor/last-words.ts'
import { waitForLeftovers } from '../supervisor/leftovers.ts'
import { Progress } from '../supervisor/progress.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { untilNodesReady } from '../supervisor/nodes-ready.ts'
import { clusterFlags, clusterName, sameCluster, stateOf } from './command.ts'
import { type Command, type Flags, UsageError } from '@dinghy/clients/command-line/command'

export const up: Command = {
  usage: 'up [--detach] [--cluster NAME] [--nodes N] [--state-dir DIR] [--driver auto|process|linux|oci]',
  summary: 'start a cluster, or resume it where it stopped',
  flags: {
    ...clusterFlags,
    detach: { type: 'boolean', short: 'd' },
    nodes: { type: 'string' },
    driver: { type: 'string' },
  },
  async run(flags) {
    const state = stateOf(flags)
    // Before anything is made or started: what is wrong with the command line or the directory is said here and now.
    plan(flags, state.readConfig())
    if (await askStatus(state)) {
      console.error(`cluster "${clusterName(flags)}" is already running (${state.root})`)
      return flags['detach'] ? 0 : 1
    }
    state.create()
    return flags['detach'] ? detach(flags, state) : supervise(flags, state)
  },
}

async function supervise(flags: Flags, state: StateDir): Promise<number> {
  const startedAt = performance.now()
  await waitForLeftovers(state, systemClock)
  const before = state.readConfig()
  const { slot, hold } = await holdSlot(before?.slot, preferredSlot(isOrdinary(flags) ? undefined : state.root))
  const config = { ...plan(flags, before), slot, apiPort: await apiPortFor(before, slot) }
  state.writeConfig(config)
  writeKubeconfig(state.kubeconfig, { cluster: config.cluster, server: apiServerUrl(config) })

  // What nobody can read (a closed pipe, a terminal that is gone, a full disk) is lost; the cluster goes on.
  process.stdout.on('error', () => undefined)
  const progress = new Progress(config, state, startedAt, sameCluster(flags))
  let componentsAreReady = () => {}
  const componentsReady = new Promise<void>((resolve) => (componentsAreReady = resolve))
  const supervisor = new Supervisor({
    config,
    state,
    hold,
    clock: systemClock,
    onChange: () => {
      progress.update(supervisor.statuses())
      if (supervisor.ready()) componentsAreReady()
    },
  })
  const stopping = new AbortController()
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping.abort()
    return (stopped ??= supervisor.stop())
  }
  const control = await serveControl(supervisor, state, stop)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) progress.stopping()
      void stop()
    })
  }
  const aborted = new Promise((resolve) => stopping.signal.addEventListener('abort', resolve, { once: true }))
  // With --detach the channel to whoever typed the command closes when they give up (Ctrl-C) before the cluster is ready.
  const stopUnlessUp = () => void stop()
  process.once('disconnect', stopUnlessUp)
  try {
    supervisor.start()
    await Promise.race([Promise.all([untilNodesReady(config, stopping.signal), componentsReady]), aborted])
    process.off('disconnect', stopUnlessUp)
    if (!stopping.signal.aborted) progress.ready()
    await aborted
  } finally {
    await stop()
    control.close()
    control.closeIdleConnections()
  }
  progress.stopped()
  return 0
}

/** The cluster that people get who ask for no particular one. */
function isOrdinary(flags: Flags): boolean {
  return sameCluster(flags) === ''
}

/** What `up` was told joined with what is on disk: nodes may be added later, never taken away silently. Pure. */
export function plan(
  flags: Flags,
  before: ClusterConfig | undefined,
): Pick<ClusterConfig, 'cluster' | 'nodes' | 'driver'> {
  const nodes = nodesFor(flags['nodes'] as string | undefined, before?.nodes ?? [])
  const driver = (flags['driver'] as string | undefined) ?? before?.driver ?? 'auto'
  if (!['auto', 'process', 'linux', 'oci'].includes(driver)) {
    throw new UsageError(`--driver takes auto, process, linux or oci, not "${driver}"`)
  }
  return { cluster: clusterName(flags), driver, nodes }
}

async function apiPortFor(before: ClusterConfig | undefined, slot: number): Promise<number> {
  return before && (await isPortFree(before.apiPort)) ? before.apiPort : freeApiPort(slot)
}

function nodesFor(asked: string | undefined, before: NodeConfig[]): NodeConfig[] {
  const count = asked === undefined ? before.length || 3 : Number(asked)
  if (!Number.isInteger(count) || count < 1 || count > 250) {
    throw new UsageError(`--nodes takes a number from 1 to 250, not "${asked}"`)
  }
  if (count < before.length) {
    throw new UsageError(`this cluster has ${before.length} nodes; start afresh with \`dinghy down --wipe\` for fewer`)
  }
  return Array.from({ length: count }, (_, index) => before[index] ?? { name: `node-${index + 1}` })
}

async function detach(flags: Flags, state: StateDir): Promise<number> {
  const log = openSync(state.log('supervisor'), 'a', 0o600)
  const { size: alreadyThere } = fstatSync(log)
  const args = process.argv.slice(2).filter((arg) => arg !== '--detach' && arg !== '-d')
  const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  const failed = once(child, 'exit').then(() => 'failed' as const)
  const ready = once(child, 'message').then(() => 'ready' as const)
  const waiting = setInterval(() => void sayWhatIsMissing(state), sayMissingEveryMs)
  const outcome = await Promise.race([ready, failed])
  clearInterval(waiting)
  if (outcome === 'failed') {
    process.stderr.write(readFileSync(state.log('supervisor')).subarray(alreadyThere))
    console.error(`the cluster did not start; see ${dirname(state.log('supervisor'))}`)
    return 1
  }
  child.disconnect()
  child.unref()
  const status = await askStatus(state)
  console.log(
    `cluster "${clusterName(flags)}" is ready at ${status?.server}\n\n  eval "$(npx dinghy env${sameCluster(flags)})"`,
  )
  return 0
}

const sayMissingEveryMs = 5_000

async function sayWhatIsMissing(state: StateDir): Promise<void> {
  const { components = [] } = (await askStatus(state)) ?? {}
  for (const { name, ready, restarts, stopped } of components) {
    if (ready || stopped) continue
    const said = restarts > 0 ? lastWords(state.log(name)) : undefined
    const again = restarts > 0 ? `, restarted ${restarts}\u00d7${said === undefined ? '' : ` (${said})`}` : ''
    console.error(`still waiting for ${name}${again}; see ${state.log(name)}`)
  }
}
