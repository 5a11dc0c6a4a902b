/**
 * `dinghy status`: which processes make up the cluster and whether they are ready. Exit code 0 only when all are.
 */

import { askStatus, type ClusterStatus, NotRunning } from '../supervisor/control-server.ts'
import { bold, dim, green, red, yellow } from '@dinghy/clients/command-line/colors'
import { clusterFlags, stateOf } from './command.ts'
import { type Command, UsageError } from '@dinghy/clients/command-line/command'

export const status: Command = {
  usage: 'status [-o json] [--cluster NAME] [--state-dir DIR]',
  summary: 'the processes of a cluster and whether they are ready',
  flags: { ...clusterFlags, output: { type: 'string', short: 'o' } },
  async run(flags) {
    const state = stateOf(flags)
    if (flags['output'] !== undefined && flags['output'] !== 'json') throw new UsageError('-o takes only json')
    const current = await askStatus(state)
    if (!current) throw new NotRunning(state)
    if (flags['output'] === 'json') {
      const { cluster, ready, components, kubeconfig, dockerHost } = current
      const listed = components.map(({ name, pid, ready }) => ({ name, pid: pid ?? null, ready }))
      console.log(JSON.stringify({ cluster, ready, components: listed, kubeconfig, dockerHost }, null, 2))
    } else {
      console.log(render(current))
    }
    return current.ready ? 0 : 1
  },
}

function render({ cluster, components, server, kubeconfig, dockerHost }: ClusterStatus): string {
  const rows = components.map((component) => {
    const { name, pid, ready, restarts, stopped } = component
    const state = ready ? green('ready') : stopped ? yellow('stopped') : red('not ready')
    const again = restarts > 0 ? dim(` restarted ${restarts}\u00d7`) : ''
    return `  ${name.padEnd(20)} ${String(pid ?? '-').padStart(7)}  ${state}${again}`
  })
  return [
    bold(`cluster "${cluster}"`),
    ...rows,
    '',
    `  API server  ${server}`,
    `  kubeconfig  ${kubeconfig}`,
    `  docker      ${dockerHost}`,
  ].join('\n')
}
