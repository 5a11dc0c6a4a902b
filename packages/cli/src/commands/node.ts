/**
 * `dinghy node stop|start NAME`: pulls a node's plug, and plugs it in again. Stopping kills its agent, its proxy and
 * its containers, as a power cut would; the rest of the cluster notices only that heartbeats stop.
 */

import type { Command } from 'commander'
import { exitWith } from '@dinghy/clients/command-line/command'
import { systemClock } from '@dinghy/shared/api/clock'
import { switchNode } from '../supervisor/control-client.ts'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { showWhile } from '@dinghy/clients/command-line/status-line'

export function node(): Command {
  const stop = clusterCommand('stop', ['dinghy node stop node-2'])
    .description("Pull a node's plug: its processes and its containers are killed.")
    .argument('<name>', 'the node')
    .action(exitWith(runStop))
  const start = clusterCommand('start', ['dinghy node start node-2'])
    .description('Plug a node in again; it becomes Ready by itself.')
    .argument('<name>', 'the node')
    .action(exitWith(runStart))
  return clusterCommand('node', ['dinghy node stop node-2'])
    .description("Pull a node's plug, or plug it in again.")
    .addCommand(stop)
    .addCommand(start)
}

async function runStop(options: ClusterOptions, name: string): Promise<number> {
  const stopping = switchNode(stateOf(options), name, 'stop')
  await showWhile(stopping, () => `node ${name}: killing its agent, its proxy and its containers`, {
    clock: systemClock,
  })
  console.log(`node ${name} is off`)
  return 0
}

async function runStart(options: ClusterOptions, name: string): Promise<number> {
  await switchNode(stateOf(options), name, 'start')
  console.log(`node ${name} is starting`)
  return 0
}
