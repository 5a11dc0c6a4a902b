// Waiting for what a person means by "the cluster is up": every node that is wanted up reports Ready.

import { getCondition } from '@dinghy/shared/api/conditions'
import { hasReason } from '@dinghy/shared/api/errors'
import { Nodes } from '@dinghy/shared/api/resources'
import type { Node } from '@dinghy/shared/api/types'
import { systemClock } from '@dinghy/shared/api/clock'
import { ApiClient } from '@dinghy/shared/client/api-client'
import type { ClusterConfig } from '../cluster/state-dir.ts'
import { apiServerUrl } from './components.ts'

const pollMs = 25

/** True when all nodes are Ready, false when `signal` came first. */
export async function untilNodesReady(config: ClusterConfig, signal: AbortSignal): Promise<boolean> {
  const client = new ApiClient({ server: apiServerUrl(config), userAgent: 'dinghy-up' })
  const wanted = config.nodes.filter((node) => !node.stopped).map((node) => node.name)
  while (!signal.aborted) {
    const nodes = await client.list(Nodes).catch((error: unknown) => {
      // The API server is still starting.
      if (hasReason(error, 'ServiceUnavailable')) return { items: [] as Node[] }
      throw error
    })
    const ready = new Set(nodes.items.filter(isReady).map((node) => node.metadata.name))
    if (wanted.every((name) => ready.has(name))) return true
    await systemClock.sleep(pollMs, signal).catch(() => undefined)
  }
  return false
}

const isReady = (node: Node): boolean => getCondition(node.status.conditions ?? [], 'Ready')?.status === 'True'
