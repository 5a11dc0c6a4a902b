/**
 * `dinghy node stop|start NAME`: pulls a node's plug, and plugs it in again. Stopping kills its agent, its proxy and
 * its containers, as a power cut would; the rest of the cluster notices only that heartbeats stop.
 */

import { NotRunning, askStatus, command } from '../supervisor/control-server.ts'
import { clusterFlags, stateOf } from './command.ts'
import { type Command, UsageError } from '@dinghy/clients/command-line/command'

export const node: Command = {
  usage: 'node stop|start NAME [--cluster NAME] [--state-dir DIR]',
  summary: "pull a node's plug, or plug it in again",
  flags: clusterFlags,
  words: 2,
  async run(flags, [verb, name]) {
    if ((verb !== 'stop' && verb !== 'start') || !name)
      throw new UsageError('say `dinghy node stop NAME` or `start NAME`')
    const state = stateOf(flags)
    if (!(await askStatus(state))) throw new NotRunning(state)
    await command(state, `/nodes/${encodeURIComponent(name)}/${verb}`)
    console.log(verb === 'stop' ? `node ${name} is off` : `node ${name} is starting`)
    return 0
  },
}
