/**
 * `dinghy up`: starts a cluster, or resumes the one in the state directory with everything still there.
 * In the foreground it shows progress and stops everything on Ctrl-C; with --detach it returns once the cluster is
 * ready and leaves the supervisor running.
 */

import type { Command } from 'commander'
import { type ClusterFile, readClusterFile } from '../cluster/cluster-file.ts'
import { diskTrouble } from '../cluster/disk.ts'
import { mergeSettings, settingsOf } from '../cluster/settings.ts'
import type { ClusterConfig, NodeConfig } from '../cluster/state-dir.ts'
import { checkSettings } from '../supervisor/check-settings.ts'
import { componentsOf } from '../supervisor/components.ts'
import { askStatus } from '../supervisor/control-client.ts'
import { collect, exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, clusterName, type ClusterOptions, sameCluster, stateOf } from './cluster-command.ts'
import { dinghyWord } from './env.ts'

export interface UpOptions extends ClusterOptions {
  detach?: boolean
  nodes?: string
  driver?: string
  config?: string
  set?: string[]
  logLevel?: string
}

export function up(): Command {
  return clusterCommand('up', [
    'dinghy up',
    'dinghy up --detach --nodes 5',
    'dinghy up --set controller.node-monitor-grace-period=40s',
    'dinghy up --config dinghy.yaml',
  ])
    .description('Start a cluster, or resume it where it stopped. Ctrl-C stops it; with --detach `dinghy down` does.')
    .option('-d, --detach', 'return when the cluster is ready, and leave it running')
    .option('--nodes <n>', 'how many nodes; more can be added later (default: 3)')
    .option('--driver <driver>', 'how containers run: auto, linux, process or oci (default: "auto")')
    .option('--config <file>', 'read nodes, driver, logLevel and settings from a file such as dinghy.yaml')
    .option('--set <component.flag=value>', "a component's flag, kept for later starts; `settings` lists them", collect)
    .option('--log-level <level>', 'of all components: trace, debug, info, warn, error (default: $LOG_LEVEL, info)')
    .action(exitWith(run))
}

async function run(options: UpOptions): Promise<number> {
  const state = stateOf(options)
  // Before anything is made or started: what is wrong with the command line or the directory is said here and now.
  const file = options.config === undefined ? {} : await readClusterFile(options.config)
  const planned = plan(options, state.readConfig(), file)
  const specs = componentsOf({ ...planned, slot: 0, apiPort: 0 }, state)
  if (await askStatus(state)) {
    console.error(`cluster "${planned.cluster}" is already running (${state.root})`)
    console.error(`  eval "$(${dinghyWord()} env${sameCluster(options)})"    points kubectl and docker at it`)
    console.error(`  ${dinghyWord()} down${sameCluster(options)}             stops it`)
    return options.detach ? 0 : 1
  }
  await checkSettings(planned.settings ?? {}, specs)
  state.create()
  const trouble = diskTrouble(state.root)
  if (trouble !== undefined) throw new Error(`the cluster was not started: ${trouble}`)
  if (options.detach) return (await import('./detach.ts')).detach(planned, state, sameCluster(options))
  return (await import('./supervise.ts')).supervise(planned, state, sameCluster(options))
}

export type Plan = Pick<ClusterConfig, 'cluster' | 'nodes' | 'driver' | 'settings' | 'logLevel'>

const drivers = ['auto', 'process', 'linux', 'oci']
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** What `up` was told joined with what is on disk: nodes may be added later, never taken away silently. Pure. */
export function plan(options: UpOptions, before: ClusterConfig | undefined, file: ClusterFile = {}): Plan {
  const nodes = nodesFor(options.nodes ?? file.nodes, before?.nodes ?? [])
  const driver = options.driver ?? file.driver ?? before?.driver ?? 'auto'
  if (!drivers.includes(driver)) throw new UsageError(`--driver takes auto, process, linux or oci, not "${driver}"`)
  const logLevel = options.logLevel ?? file.logLevel
  if (logLevel !== undefined && !logLevels.includes(logLevel)) {
    throw new UsageError(`--log-level takes ${logLevels.join(', ')}, not "${logLevel}"`)
  }
  const settings = mergeSettings(before?.settings ?? {}, file.settings ?? {}, settingsOf(options.set ?? []))
  return {
    cluster: clusterName(options),
    driver,
    nodes,
    ...(Object.keys(settings).length > 0 ? { settings } : {}),
    ...(logLevel === undefined ? {} : { logLevel }),
  }
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
