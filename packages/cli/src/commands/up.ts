// `dinghy up`: starts a cluster, or resumes the one in the state directory with everything still there.
// In the foreground it shows progress and stops everything on Ctrl-C; with --detach it returns once the cluster is
// ready and leaves the supervisor running.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { systemClock } from '@dinghy/shared/api/clock'
import { writeKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { freeApiPort, isPortFree } from '../cluster/ports.ts'
import { holdSlot } from '../cluster/slot.ts'
import type { ClusterConfig, NodeConfig, StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from '../supervisor/components.ts'
import { askStatus, serveControl } from '../supervisor/control-server.ts'
import { waitForLeftovers } from '../supervisor/leftovers.ts'
import { Progress } from '../supervisor/progress.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { untilNodesReady } from '../supervisor/nodes-ready.ts'
import { clusterFlags, clusterName, type Command, type Flags, stateOf, UsageError } from './command.ts'

export const up: Command = {
  usage: 'up [--detach] [--cluster NAME] [--nodes N] [--state-dir DIR] [--driver auto|process|linux]',
  summary: 'start a cluster, or resume it where it stopped',
  flags: {
    ...clusterFlags,
    detach: { type: 'boolean', short: 'd' },
    nodes: { type: 'string' },
    driver: { type: 'string' },
  },
  async run(flags) {
    const state = stateOf(flags)
    if (await askStatus(state)) {
      console.error(`cluster "${clusterName(flags)}" is already running (${state.root})`)
      return flags['detach'] ? 0 : 1
    }
    return flags['detach'] ? detach(flags, state) : supervise(flags, state)
  },
}

async function supervise(flags: Flags, state: StateDir): Promise<number> {
  const startedAt = performance.now()
  state.create()
  await waitForLeftovers(state, systemClock)
  const before = state.readConfig()
  const { slot, hold } = await holdSlot(before?.slot)
  const config = await configFor(flags, before, slot)
  state.writeConfig(config)
  writeKubeconfig(state.kubeconfig, { cluster: config.cluster, server: apiServerUrl(config) })

  const progress = new Progress(config, state, startedAt)
  const supervisor = new Supervisor({
    config,
    state,
    hold,
    clock: systemClock,
    onChange: () => progress.update(supervisor.statuses()),
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
  supervisor.start()
  progress.update(supervisor.statuses())
  if (await untilNodesReady(config, stopping.signal)) progress.ready()
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  await stop()
  control.close()
  control.closeIdleConnections()
  progress.stopped()
  return 0
}

/** What `up` was told joined with what is on disk: nodes may be added later, never taken away silently. */
export async function configFor(flags: Flags, before: ClusterConfig | undefined, slot: number): Promise<ClusterConfig> {
  const nodes = nodesFor(flags['nodes'] as string | undefined, before?.nodes ?? [])
  const driver = (flags['driver'] as string | undefined) ?? before?.driver ?? 'auto'
  if (!['auto', 'process', 'linux'].includes(driver)) {
    throw new UsageError(`--driver takes auto, process or linux, not "${driver}"`)
  }
  const apiPort = before && (await isPortFree(before.apiPort)) ? before.apiPort : await freeApiPort()
  return { cluster: clusterName(flags), slot, apiPort, driver, nodes }
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
  state.create()
  const log = openSync(state.log('supervisor'), 'a', 0o600)
  const args = process.argv.slice(2).filter((arg) => arg !== '--detach' && arg !== '-d')
  const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  const failed = once(child, 'exit').then(() => 'failed' as const)
  const ready = once(child, 'message').then(() => 'ready' as const)
  if ((await Promise.race([ready, failed])) === 'failed') {
    console.error(`the cluster did not start; see ${state.log('supervisor')}`)
    return 1
  }
  child.disconnect()
  child.unref()
  const status = await askStatus(state)
  console.log(`cluster "${clusterName(flags)}" is ready at ${status?.server}\n\n  eval "$(npx dinghy env)"`)
  return 0
}
