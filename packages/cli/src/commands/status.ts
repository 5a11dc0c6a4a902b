/**
 * `dinghy status`: which processes make up the cluster and whether they are ready. Exit code 0 only when all are.
 */

import { type Command, Option } from 'commander'
import { exitWith } from '@dinghy/clients/command-line/command'
import { addressesOf } from '../cluster/addresses.ts'
import { statusOfRunning } from '../supervisor/control-client.ts'
import type { ClusterStatus } from '../supervisor/control-server.ts'
import { bold, dim, green, red, yellow } from '@dinghy/clients/command-line/colors'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'

interface StatusOptions extends ClusterOptions {
  output: 'text' | 'json'
}

export function status(): Command {
  return clusterCommand('status', ['dinghy status', 'dinghy status -o json'])
    .description('The processes of a cluster and whether they are ready. Exits with 0 only when all are.')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .action(exitWith(run))
}

async function run(options: StatusOptions): Promise<number> {
  const current = await statusOfRunning(stateOf(options))
  console.log(options.output === 'json' ? JSON.stringify(forPrograms(current), null, 2) : render(current))
  return current.ready && current.trouble === undefined ? 0 : 1
}

function forPrograms(status: ClusterStatus): object {
  const { cluster, ready, components, kubeconfig, dockerHost, slot, network, trouble } = status
  const listed = components.map(({ name, pid, ready, restarts, stopped, paused, reason }) => {
    return { name, pid: pid ?? null, ready, restarts, stopped, paused, ...(reason === undefined ? {} : { reason }) }
  })
  return { cluster, ready, components: listed, kubeconfig, dockerHost, slot, network, ...(trouble ? { trouble } : {}) }
}

/** Pure. */
export function render(status: ClusterStatus): string {
  const { cluster, components, server, kubeconfig, dockerHost, trouble } = status
  const width = Math.max(...components.map(({ name }) => name.length))
  const rows = components.map((component) => {
    const { name, pid, restarts } = component
    const again = restarts > 0 ? dim(` restarted ${restarts}\u00d7`) : ''
    return `  ${name.padEnd(width)} ${String(pid ?? '-').padStart(7)}  ${stateText(component)}${again}${pausedText(component)}${reasonText(component)}`
  })
  return [
    bold(`cluster "${cluster}"`),
    ...rows,
    ...(trouble === undefined ? [] : ['', `  ${red(trouble)}`]),
    '',
    `  API server  ${server}`,
    ...networkLines(status),
    `  kubeconfig  ${kubeconfig}`,
    `  docker      ${dockerHost}`,
  ].join('\n')
}

function networkLines(status: ClusterStatus): string[] {
  const { slot, network } = status
  const { nodeRange, podRange, serviceRange } = addressesOf(status)
  if (network === 'loopback') return [`  nodes       ${nodeRange} (slot ${slot}); node ports also on localhost`]
  return [
    `  nodes       ${nodeRange} (slot ${slot}), each a network namespace; node ports also on localhost`,
    `  pods        ${podRange}`,
    `  Services    ${serviceRange}`,
  ]
}

function stateText({ ready, stopped, silent, pid }: ClusterStatus['components'][number]): string {
  if (ready) return green('ready')
  if (stopped) return yellow('stopped')
  if (silent) return red('does not answer')
  return red(pid === undefined ? 'ended, starts again' : 'not ready')
}

/** On a line of its own: it is a sentence. */
function reasonText({ reason }: ClusterStatus['components'][number]): string {
  return reason === undefined ? '' : `\n    ${red(reason)}`
}

function pausedText({ name, paused }: ClusterStatus['components'][number]): string {
  if (paused.length === 0) return ''
  const loops = paused.length > 3 ? `${paused.length} loops` : paused.join(', ')
  return yellow(`  paused: ${loops} (\`dinghy resume ${name}\`)`)
}
