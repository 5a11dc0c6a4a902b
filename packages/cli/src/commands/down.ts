// `dinghy down`: stops the cluster and every container; --wipe also removes its state directory.

import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { askStatus, command } from '../supervisor/control-server.ts'
import { clusterFlags, type Command, stateOf } from './command.ts'

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
    }
    if (!flags['wipe']) {
      if (!running) console.log(`no cluster is running in ${state.root}`)
      return 0
    }
    // Only what `up` made is removed: a directory without our configuration file was never a cluster.
    if (!state.readConfig()) {
      console.error(`${state.root} holds no cluster; nothing was removed`)
      return 1
    }
    rmSync(state.root, { recursive: true, force: true })
    if (dirname(state.dockerSocket) !== state.root)
      rmSync(dirname(state.dockerSocket), { recursive: true, force: true })
    console.log(`removed ${state.root}`)
    return 0
  },
}
