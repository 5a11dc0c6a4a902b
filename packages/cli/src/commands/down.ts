/**
 * `dinghy down`: stops the cluster and every container; --wipe also removes its state directory.
 */

import { existsSync } from 'node:fs'
import { systemClock } from '@dinghy/shared/api/clock'
import { type ClusterConfig, DamagedConfig, type StateDir } from '../cluster/state-dir.ts'
import { askStatus, command } from '../supervisor/control-server.ts'
import { stopOrphans } from '../supervisor/orphans.ts'
import { clusterFlags, stateOf } from './command.ts'
import type { Command } from '@dinghy/clients/command-line/command'

export const down: Command = {
  usage: 'down [--wipe] [--cluster NAME] [--state-dir DIR]',
  summary: 'stop a cluster; --wipe also forgets everything in it',
  flags: { ...clusterFlags, wipe: { type: 'boolean' } },
  async run(flags) {
    const state = stateOf(flags)
    const running = await askStatus(state)
    if (running) {
      await command(state, '/stop')
      console.log(`stopped cluster "${running.cluster}"`)
    } else {
      const config = configOf(state, Boolean(flags['wipe']))
      const orphans = config ? await stopOrphans(config, state, systemClock) : 0
      if (orphans > 0) console.log(`stopped ${orphans} containers that a killed supervisor had left running`)
      else if (!flags['wipe']) console.log(`no cluster is running in ${state.root}`)
    }
    if (!flags['wipe']) return 0
    // Only what `up` made is removed: a directory without our configuration file was never a cluster.
    if (!existsSync(state.config)) {
      console.error(`${state.root} holds no cluster; nothing was removed`)
      return 1
    }
    const others = await state.wipe()
    if (others.length === 0) console.log(`removed ${state.root}`)
    else console.log(`removed the cluster from ${state.root}, where other things lie: ${others.join(', ')}`)
    return 0
  },
}

function configOf(state: StateDir, wipe: boolean): ClusterConfig | undefined {
  try {
    return state.readConfig()
  } catch (error) {
    // A damaged file must not keep anybody from wiping the cluster, containers included.
    if (wipe && error instanceof DamagedConfig) return { cluster: '', slot: 0, apiPort: 0, nodes: [], driver: 'auto' }
    throw error
  }
}
