/**
 * GET /debug/explain-schedule?namespace=&name=&at=: what every plugin says of every node about a pod.
 *
 *   at given ──► as the store had it at that revision
 *   else, the pod was placed a short while ago ──► as the scheduler saw it when it decided
 *   else ──► as the store has it now
 *
 * Extenders are not asked again: who looks must not move anything.
 */

import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { explainSchedule, type Explanation } from './explain.ts'
import { pastCluster } from './past-cluster.ts'
import type { Profiles } from './profiles.ts'
import type { RecentDecisions } from './recent-decisions.ts'

export interface ExplainPage extends Explanation {
  /** Whose picture of the cluster this is. */
  seenBy: 'scheduler' | 'store'
  revision: string
  /** Where the pod was at that moment. */
  nodeName?: string | undefined
  /** Where this decision has put it. */
  decided?: string
}

export async function explainPage(
  deps: { client: ApiClient; log: Logger; recent: RecentDecisions; profiles: Profiles },
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<ExplainPage> {
  const reference = { namespace: query.get('namespace') ?? 'default', name: query.get('name') ?? '' }
  const at = query.get('at') ?? undefined
  const past = await pastCluster(deps, reference, at, signal)
  const { plugins } = deps.profiles.of(past.pod)
  const placed = at === undefined ? deps.recent.of(past.pod.metadata.uid) : undefined
  if (placed !== undefined) {
    const { pod, cluster, nodeName: decided } = placed
    const { resourceVersion: revision } = pod.metadata
    return { seenBy: 'scheduler', revision, decided, ...explainSchedule(pod, cluster, plugins) }
  }
  // As if it had to be placed: the node that it was given must not refuse all others.
  const { nodeName, ...spec } = past.pod.spec
  const explanation = explainSchedule({ ...past.pod, spec }, past.cluster, plugins)
  return { seenBy: 'store', revision: past.revision, nodeName, ...explanation }
}
