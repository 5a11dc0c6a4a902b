/**
 * `dinghy kubeconfig`: the way to a cluster for kubectl and everybody else.
 *
 *   dinghy kubeconfig                            the path of the administrator's file
 *   dinghy kubeconfig --user jane --group dev    a file for somebody else, with a certificate made for it
 *   dinghy kubeconfig --merge                    into the file where kubectl looks, beside other clusters
 *
 * A person's file is all that they need; what they may do with it, roles say. The certificate cannot be taken back,
 * only left to expire, so give it a short life where that matters.
 */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { exitWith, UsageError } from '@dinghy/clients/command-line/command'
import { parseDuration } from '@dinghy/shared/api/duration'
import { systemClock } from '@dinghy/shared/api/clock'
import type { Kubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigText, writeKubeconfig } from '@dinghy/shared/client/kubeconfig-file'
import { kubeconfigFor } from '../cluster/pki.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import { apiServerUrl } from '../supervisor/components.ts'
import { clusterCommand, type ClusterOptions, stateOf } from './cluster-command.ts'
import { noCluster } from './env.ts'

interface KubeconfigOptions extends ClusterOptions {
  user?: string
  group: string[]
  expires: string
  merge: boolean
}

export function kubeconfig(): Command {
  return clusterCommand('kubeconfig', [
    'KUBECONFIG=$(dinghy kubeconfig) kubectl get nodes',
    'dinghy kubeconfig --user jane --group dev > jane.kubeconfig',
    'dinghy kubeconfig --cluster prod --merge && kubectl config use-context dinghy-prod',
  ])
    .description("Print the path of a cluster's kubeconfig, make one for another user, or merge it into your own.")
    .option('--user <name>', 'print a kubeconfig for this user, with a certificate made for it')
    .option(
      '--group <name>',
      'a group of that user; may be repeated',
      (group, groups: string[]) => [...groups, group],
      [],
    )
    .option('--expires <duration>', "how long that user's certificate is good for", '8760h')
    .option('--merge', 'write it into the first file of $KUBECONFIG, or ~/.kube/config, as the current context', false)
    .action(exitWith(run))
}

async function run(options: KubeconfigOptions): Promise<number> {
  const state = stateOf(options)
  const { user, group, merge } = options
  if (user === '') throw new UsageError('--user takes a name, not ""')
  if (user === undefined && group.length > 0) throw new UsageError('--group is said of a --user')
  if (!existsSync(state.config)) return noCluster(state)
  if (user === undefined && !merge) {
    console.log(state.kubeconfig)
    return 0
  }
  const config = made(state, options)
  if (!merge) {
    process.stdout.write(await kubeconfigText(config))
    return 0
  }
  const path = ownFile(state, process.env)
  await writeKubeconfig(path, config)
  console.log(`${config['current-context']} is the current context of ${path}`)
  return 0
}

function made(state: StateDir, { user, group, expires }: KubeconfigOptions): Kubeconfig {
  const config = state.readConfig()
  if (!config) throw new Error(`there is no cluster in ${state.root}`)
  const expiresInMs = parseDuration(expires)
  if (expiresInMs === undefined || expiresInMs < 60_000) {
    throw new UsageError(`--expires takes a duration such as 720h, at least 1m, not "${expires}"`)
  }
  const person = user !== undefined && {
    subject: { user, groups: group },
    now: systemClock.now(),
    expiresInSeconds: expiresInMs / 1000,
  }
  return kubeconfigFor(config, state, apiServerUrl(config), person || undefined)
}

/** Where kubectl writes: but not into the cluster's own file, to which `dinghy env` points it. Pure. */
export function ownFile(state: StateDir, env: NodeJS.ProcessEnv, home = homedir()): string {
  const [first] = (env['KUBECONFIG'] ?? '').split(delimiter).filter(Boolean)
  const isClusters = first !== undefined && resolve(first) === state.kubeconfig
  return first === undefined || isClusters ? join(home, '.kube', 'config') : first
}
