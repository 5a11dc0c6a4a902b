/**
 * Waiting for what a person means by "the cluster is up": every node that is wanted up reports Ready.
 */

import { systemClock } from '@dinghy/shared/api/clock'
import { isConditionTrue } from '@dinghy/shared/api/conditions'
import { Nodes } from '@dinghy/shared/api/resources'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informer } from '@dinghy/shared/client/informer'
import type { ClusterConfig } from '../cluster/state-dir.ts'

/** `server`: the API server's URL. True when all nodes are Ready, false when `signal` came first. */
export async function untilNodesReady(
  { nodes: configured }: Pick<ClusterConfig, 'nodes'>,
  server: string,
  signal: AbortSignal,
): Promise<boolean> {
  const client = new ApiClient({ server, userAgent: 'dinghy-up' })
  const wanted = configured.filter((node) => !node.stopped).map((node) => node.name)
  const done = new AbortController()
  // The API server is still starting; until it answers its log lines are of no interest here.
  const nodes = new Informer(client, Nodes, { clock: systemClock, log: quiet })
  nodes.onChange(() => {
    const isReady = (name: string) => isConditionTrue(nodes.lister.get(name)?.status.conditions ?? [], 'Ready')
    if (wanted.every(isReady)) done.abort()
  })
  await nodes.run(AbortSignal.any([signal, done.signal]))
  return done.signal.aborted
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
