/**
 * What `dinghy up` was told, on the command line and in a file, joined with what is on disk. Pure.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import type { ClusterFile } from '../cluster/cluster-file.ts'
import { mergeSettings, settingsOf } from '../cluster/settings.ts'
import { withNewNode } from '../cluster/nodes.ts'
import type { ClusterConfig, NodeConfig } from '../cluster/state-dir.ts'
import { clusterName, type ClusterOptions } from './cluster-command.ts'

export interface UpOptions extends ClusterOptions {
  detach?: boolean
  nodes?: string
  driver?: string
  network?: string
  config?: string
  set?: string[]
  logLevel?: string
  acceptDataLoss?: boolean
}

export type Plan = Pick<
  ClusterConfig,
  'cluster' | 'network' | 'nodes' | 'driver' | 'dns' | 'lowPorts' | 'nft' | 'rootless' | 'settings' | 'logLevel'
>

const networks = ['auto', 'machines', 'loopback'] as const
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
    // A cluster that is there keeps its name, unless it is given another.
    cluster: options.cluster === undefined && before ? before.cluster : clusterName(options),
    driver,
    nodes,
    ...(Object.keys(settings).length > 0 ? { settings } : {}),
    ...(logLevel === undefined ? {} : { logLevel }),
  }
}

/** Which network a cluster is to have: a cluster keeps the one that it was made with. Pure. */
export function networkFor(
  { network: option }: Pick<UpOptions, 'network'>,
  before: ClusterConfig | undefined,
  file: ClusterFile = {},
): (typeof networks)[number] {
  const text = option ?? file.network
  const asked = networks.find((one) => one === (text ?? 'auto'))
  if (!asked) throw new UsageError(`--network takes auto, machines or loopback, not "${text}"`)
  if (!before) return asked
  const { network = 'loopback' } = before
  if (asked !== 'auto' && asked !== network) {
    throw new UsageError(`this cluster's network is ${network}; start afresh with \`dinghy down --wipe\` for another`)
  }
  return network
}

function nodesFor(asked: string | undefined, before: NodeConfig[]): NodeConfig[] {
  const count = asked === undefined ? before.length || 3 : Number(asked)
  if (!Number.isInteger(count) || count < 1 || count > 250) {
    throw new UsageError(`--nodes takes a number from 1 to 250, not "${asked}"`)
  }
  if (count < before.length) {
    throw new UsageError(`this cluster has ${before.length} nodes; \`dinghy node remove NAME\` takes one away`)
  }
  let nodes = before
  while (nodes.length < count) nodes = withNewNode(nodes)
  return nodes
}
