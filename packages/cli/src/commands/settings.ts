/**
 * `dinghy settings [COMPONENT]`: the flags that `dinghy up --set COMPONENT.FLAG=VALUE` can give, as the components
 * themselves describe them, and what this cluster has set.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { componentsOf } from '../supervisor/components.ts'
import { componentEntry } from '../supervisor/launchers.ts'
import type { ClusterConfig } from '../cluster/state-dir.ts'
import { bold } from '@dinghy/clients/command-line/colors'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { fold } from './why.ts'

export function settings(): Command {
  return clusterCommand('settings', [
    'dinghy settings controller',
    'dinghy up --set controller.node-monitor-grace-period=40s',
  ])
    .description('The flags of the components that `dinghy up --set` can give, and those that this cluster has set.')
    .argument('[component]', 'one kind of process instead of all')
    .action(exitWith(run))
}

/** Stands for a cluster that is not made yet: it has every kind of component. */
const anyCluster: ClusterConfig = {
  cluster: 'dinghy',
  slot: 0,
  apiPort: 0,
  driver: 'auto',
  nodes: [{ name: 'node-1' }],
  dns: true,
}

async function run(options: ClusterOptions, component?: string): Promise<number> {
  const state = stateOf(options)
  const specs = componentsOf(anyCluster, state)
  const chosen = specs.filter(({ kind }) => component === undefined || kind === component)
  if (chosen.length === 0) {
    throw new UsageError(`there is no component "${component}"; there are ${specs.map(({ kind }) => kind).join(', ')}`)
  }
  const texts = await Promise.all(
    chosen.map(async ({ kind, fixed }) => `${bold(kind)}\n${flagLines(await help(kind), fixed)}`),
  )
  console.log(texts.join('\n\n'))
  const set = Object.entries(state.readConfig()?.settings ?? {}).flatMap(([name, flags]) =>
    Object.entries(flags).map(([flag, value]) => `  ${name}.${flag}=${value}`),
  )
  if (set.length > 0) console.log(`\n${bold('set in this cluster')}\n${set.join('\n')}`)
  return 0
}

async function help(kind: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [componentEntry(kind), '--help'])
  return stdout
}

/** The flags of a component's help, without those that are not for changing, each help text below its flag. Pure. */
export function flagLines(help: string, fixed: string[]): string {
  return help
    .split('\n')
    .flatMap((line) => {
      const [, flag = '', type = '', text = ''] = /^ {2}--(\S+)( \S+)? {2,}(.*)$/.exec(line) ?? []
      return flag === '' || fixed.includes(flag) ? [] : [`  --${flag}${type}\n${fold(text, '      ', 80)}`]
    })
    .join('\n')
}
