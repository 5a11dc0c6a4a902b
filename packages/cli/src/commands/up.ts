/**
 * `dinghy up`: starts a cluster, or resumes the one in the state directory with everything still there.
 * In the foreground it shows progress and stops everything on Ctrl-C; with --detach it returns once the cluster is
 * ready and leaves the supervisor running.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Command } from 'commander'
import { readClusterFile } from '../cluster/cluster-file.ts'
import { mayListenOn } from '../cluster/low-ports.ts'
import { diskTrouble } from '../cluster/disk.ts'
import { addressesOf } from '../cluster/addresses.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { decideNetwork } from '../machines/possible.ts'
import { isNestedRoot, rootlessLauncher } from '../machines/user-namespace.ts'
import { hasTool } from '@dinghy/shared/process/shell'
import { acceptDataLoss } from '../supervisor/accept-data-loss.ts'
import { checkSettings } from '../supervisor/check-settings.ts'
import { componentsOf } from '../supervisor/components.ts'
import { askStatus } from '../supervisor/control-client.ts'
import { collect, exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { clusterCommand, sameCluster, stateOf } from './cluster-command.ts'
import { dinghyWord } from './env.ts'
import { networkFor, plan, type UpOptions } from './plan.ts'

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
    .option('--network <mode>', 'auto, machines (each node a network namespace) or loopback (default: "auto")')
    .option('--config <file>', 'read nodes, driver, network, logLevel and settings from a file such as dinghy.yaml')
    .option('--set <component.flag=value>', "a component's flag, kept for later starts; `settings` lists them", collect)
    .option('--log-level <level>', 'of all components: trace, debug, info, warn, error (default: $LOG_LEVEL, info)')
    .option('--accept-data-loss', 'go on with what can still be read of a damaged database, and say what is lost')
    .action(exitWith(run))
}

async function run(options: UpOptions): Promise<number> {
  const state = stateOf(options)
  // Before anything is made or started: what is wrong with the command line or the directory is said here and now.
  const file = options.config === undefined ? {} : await readClusterFile(options.config)
  const before = state.readConfig()
  const wanted = plan(options, before, file)
  const { network, reason } = await decideNetwork(networkFor(options, before, file), wanted.driver)
  // In networks of their own even an ordinary user's processes may listen on every port.
  const isRootless = network === 'machines' && (process.getuid?.() !== 0 || isNestedRoot())
  const planned = {
    ...wanted,
    network,
    dns: isRootless || mayListenOn(53),
    lowPorts: isRootless || mayListenOn(80),
    nft: hasTool('nft'),
    ...(isRootless ? { rootless: true } : {}),
  }
  const { mostNodes } = addressesOf({ network, slot: 0 })
  if (planned.nodes.length > mostNodes) throw new UsageError(`a cluster on this network has at most ${mostNodes} nodes`)
  const specs = componentsOf({ ...planned, slot: 0, apiPort: 0 }, state)
  if (await askStatus(state)) {
    console.error(`cluster "${planned.cluster}" is already running (${state.root})`)
    console.error(`  eval "$(${dinghyWord()} env${sameCluster(options)})"    points kubectl and docker at it`)
    console.error(`  ${dinghyWord()} down${sameCluster(options)}             stops it`)
    return options.detach ? 0 : 1
  }
  // The script that was to make this process root of a user namespace has said why it could not.
  const refusal = process.env['DINGHY_NOT_ROOTLESS']
  if (isRootless && !isNestedRoot() && refusal !== undefined) {
    throw new Error(`an ordinary user's machines need a user namespace, which this system refuses: ${refusal}`)
  }
  await checkSettings(planned.settings ?? {}, specs)
  state.create()
  const trouble = diskTrouble(state.root)
  if (trouble !== undefined) throw new Error(`the cluster was not started: ${trouble}`)
  if (reason !== undefined) console.log(`network loopback: nodes and pods share this machine's, because ${reason}`)
  if (options.acceptDataLoss) console.log(await acceptDataLoss(specs))
  if (options.detach) return (await import('./detach.ts')).detach(planned, state, sameCluster(options))
  if (isRootless && !isNestedRoot()) return await becomeNested(state)
  return (await import('./supervise.ts')).supervise(planned, state, sameCluster(options))
}

/** The same command again, as root of a user namespace; this process stays with the terminal. */
async function becomeNested(state: StateDir): Promise<number> {
  const [program = '', ...before] = rootlessLauncher(state.runtimeRoot)
  const words = [...before, process.execPath, ...process.argv.slice(1), '--network=machines']
  const child = spawn(program, words, { stdio: 'inherit' })
  // A terminal sends these to both.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
