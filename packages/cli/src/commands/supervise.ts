/**
 * The part of `dinghy up` that stays: takes an address slot, starts the supervisor, shows progress, and stops
 * everything on a signal, on `dinghy down`, or when the cluster cannot start.
 */

import type { EventEmitter } from 'node:events'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock, systemClock } from '@dinghy/shared/api/clock'
import { writeKubeconfig } from '@dinghy/shared/client/kubeconfig-file'
import { diskTrouble } from '../cluster/disk.ts'
import { ensureControlPlanePki, ensureIdentities, kubeconfigFor } from '../cluster/pki.ts'
import { freeApiPort, isPortFree } from '../cluster/ports.ts'
import { readRoutes, whyTaken } from '../cluster/machine-routes.ts'
import { holdSlot, preferredSlot } from '../cluster/slot.ts'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from '../supervisor/components.ts'
import { Machines } from '../machines/machines.ts'
import { writeSupervisorPid } from '../supervisor/control-client.ts'
import type { serveControl } from '../supervisor/control-server.ts'
import { waitForLeftovers } from '../supervisor/leftovers.ts'
import { rotateLogs } from '../supervisor/log-rotation.ts'
import { Progress } from '../supervisor/progress.ts'
import { startFailure } from '../supervisor/start-failure.ts'
import { type StopOptions, type StopReport, Supervisor, type SupervisorDeps } from '../supervisor/supervisor.ts'
import { isOrdinary } from './cluster-command.ts'
import { dinghyWord } from './env.ts'
import { showWhile, some } from '@dinghy/clients/command-line/status-line'
import type { Plan } from './plan.ts'

/** What pods may take to end when a signal, not `dinghy down --grace`, stops the cluster. */
const graceMs = 5_000
const diskCheckMs = 2_000
/** For the answer to whoever asked for the stop. */
const closeWithinMs = 1_000
const withoutNft = 'nft is not installed: Services are forwarded in user space, and NetworkPolicies are not in force'

/** What `up` needs of the world around it; tests bring their own. */
export interface SuperviseDeps extends Pick<SupervisorDeps, 'startProcess' | 'askHealth' | 'hasBecomeReady'> {
  clock: Clock
  /** Gives us signals, and leads to whoever typed `up --detach`. */
  host: EventEmitter & { send?: ((message: string) => unknown) | undefined }
}

/** `same`: the words that lead another command to this cluster. */
export async function supervise(
  plan: Plan,
  state: StateDir,
  same: string,
  deps: SuperviseDeps = { clock: systemClock, host: process },
): Promise<number> {
  const { clock, host } = deps
  const startedAt = performance.now()
  await waitForLeftovers(state, clock)
  const before = state.readConfig()
  const { slot, hold } = await holdSlot({
    wanted: before?.slot,
    preferred: preferredSlot(isOrdinary(state) ? undefined : state.root),
    ...(plan.network === 'machines' && !plan.rootless ? { whyTaken: takenBesides(before?.slot) } : {}),
  })
  const config = { ...plan, slot, apiPort: await apiPortFor(before, slot) }
  state.writeConfig(config)

  // What nobody can read (a closed pipe, a terminal that is gone, a full disk) is lost; the cluster goes on.
  process.stdout.on('error', () => undefined)
  const isDetached = host.send !== undefined
  const env = `eval "$(${dinghyWord()} env${same})"`
  const progress = new Progress({ config, state, startedAt, env, isDetached })
  const started = new AbortController()
  const stopping = new AbortController()
  let fail: (reason: string) => void = () => undefined
  const failed = new Promise<string>((resolve) => (fail = resolve))
  let componentsAreReady = () => {}
  // A node agent is ready when its node is Ready, so this is what people mean by "the cluster is up".
  const componentsReady = new Promise<undefined>((resolve) => (componentsAreReady = () => resolve(undefined)))
  const machines = config.network === 'machines' ? new Machines(config, state) : undefined
  const supervisor = new Supervisor({
    ...deps,
    machines,
    config,
    state,
    hold,
    onChange: () => {
      const statuses = supervisor.statuses()
      progress.update(statuses)
      if (supervisor.ready()) componentsAreReady()
      const failure = startFailure(statuses, state)
      if (failure !== undefined) fail(failure)
    },
  })
  let stopped: Promise<StopReport> | undefined
  const stop = (options: StopOptions): Promise<StopReport> => {
    stopping.abort()
    return (stopped ??= supervisor.stop(options))
  }
  writeSupervisorPid(state)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    host.on(signal, () => {
      if (!stopping.signal.aborted) progress.stopping()
      void stop({ graceMs })
    })
  }
  const aborted = new Promise<undefined>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  // With --detach the channel to whoever typed the command closes when they give up (Ctrl-C) before the cluster is
  // ready.
  const stopUnlessUp = () => void stop({ graceMs })
  host.once('disconnect', stopUnlessUp)
  const rotating = rotateLogs(dirname(state.log('any')), clock, stopping.signal)
  let failure: string | undefined
  let control: Awaited<ReturnType<typeof serveControl>> | undefined
  try {
    // It takes longest until it serves, and needs no certificates.
    await supervisor.startKeeper('runtime')
    const made = machines?.make()
    const url = apiServerUrl(config)
    ensureControlPlanePki(config, state, clock.now())
    // The API server listens on the switch, and nodes live in their namespaces.
    progress.note(await made)
    if (machines && !config.nft) progress.note(withoutNft)
    await supervisor.startKeeper('api-server')
    ensureIdentities(config, state, url, clock.now())
    const starting = supervisor.start()
    await writeKubeconfig(state.kubeconfig, kubeconfigFor(config, state, url))
    // Loaded when the components are on their way: what they do takes longer.
    const controlServer = await import('../supervisor/control-server.ts')
    control = await controlServer.serveControl({ supervisor, state, stop })
    await starting
    const waiting = AbortSignal.any([stopping.signal, started.signal])
    const settled = Promise.race([componentsReady, failed, untilFull(state, clock, waiting), aborted])
    failure = await showWhile(settled, () => progress.missing(), { clock, output: process.stdout })
    started.abort()
    if (failure === undefined && !stopping.signal.aborted) {
      host.off('disconnect', stopUnlessUp)
      progress.ready()
      host.send?.('ready')
      await aborted
    }
  } finally {
    // Whoever listens for this keeps the channel, and so this process, alive.
    host.off('disconnect', stopUnlessUp)
    const waiting = () => waitingText(supervisor.waitingFor())
    await showWhile(stop({ graceMs }), waiting, { clock, output: process.stdout })
    await rotating
    await control?.close(closeWithinMs)
    rmSync(state.supervisorPid, { force: true })
  }
  if (failure !== undefined) throw new Error(`the cluster did not start: ${failure}`)
  progress.stopped()
  return 0
}

/** Why a start on a full disk has no end; nothing, for as long as there is room. */
async function untilFull(state: StateDir, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  let trouble: string | undefined
  while (trouble === undefined && !signal.aborted) {
    await clock.sleep(diskCheckMs, signal).catch((error: Error) => {
      if (!signal.aborted) throw error
    })
    trouble = diskTrouble(state.root)
  }
  return trouble
}

function waitingText(names: string[]): string | undefined {
  return names.length === 0 ? undefined : `  waiting for ${some(names)}`
}

function takenBesides(own: number | undefined): (slot: number) => string | undefined {
  const routes = readRoutes()
  return (slot) => whyTaken(slot, routes, slot === own)
}

async function apiPortFor(before: ClusterConfig | undefined, slot: number): Promise<number> {
  return before && (await isPortFree(before.apiPort)) ? before.apiPort : freeApiPort(slot)
}
