/**
 * Containers whose supervisor was killed. They outlive it on purpose, so that the next `up` finds everything running;
 * but somebody who wants the cluster down must be able to have them stopped, and only the runtime touches containers.
 * So a runtime is started for just that.
 */

import { existsSync, rmSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { Component } from './component.ts'
import { componentsOf } from './components.ts'
import { stopContainers, type Stopping } from './containers.ts'
import { waitForLeftovers } from './leftovers.ts'

const pollMs = 20
const patienceMs = 20_000

/** Stops what a killed supervisor left running; returns how many containers that were. */
export async function stopOrphans(
  config: ClusterConfig,
  state: StateDir,
  stopping: Stopping,
  clock: Clock,
): Promise<number> {
  // A supervisor that stops removes its socket; one that was killed cannot.
  if (!existsSync(state.supervisorSocket)) return 0
  state.create()
  await waitForLeftovers(state, clock)
  const runtime = runtimeOf(config, state, clock)
  runtime.start()
  try {
    const giveUpAt = clock.now() + patienceMs
    while (!runtime.status().ready) {
      if (clock.now() > giveUpAt) throw new Error(`the runtime does not start; see ${state.log('runtime')}`)
      await clock.sleep(pollMs, new AbortController().signal)
    }
    const stopped = await stopContainers(state.dockerSocket, stopping)
    rmSync(state.supervisorSocket, { force: true })
    return stopped
  } finally {
    await runtime.stop()
  }
}

function runtimeOf(config: ClusterConfig, state: StateDir, clock: Clock): Component {
  const spec = componentsOf(config, state).find(({ name }) => name === 'runtime')
  if (!spec) throw new Error('a cluster without a runtime')
  return new Component(spec, { clock, paths: { log: state.log(spec.name), runFile: state.runFile(spec.name) } })
}
