/**
 * Asking a single plugin in tests: what does it say about each node, how does it score them?
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { Plugin } from '../framework.ts'
import { nameOf, type Snapshot } from '../snapshot.ts'

/** Node name → the reasons against it; an empty list where the pod fits. */
export function reasons(plugin: Plugin, pod: Pod, cluster: Snapshot): Record<string, readonly string[]> {
  const answer = plugin.preFilter?.(pod, cluster)
  const of = (info: Snapshot['nodes'][number]) => (typeof answer === 'function' ? answer(info) : answer)
  return Object.fromEntries(cluster.nodes.map((info) => [nameOf(info), of(info)?.reasons ?? []]))
}

/** The names of the nodes that the plugin has nothing against. */
export function fitting(plugin: Plugin, pod: Pod, cluster: Snapshot): string[] {
  return Object.entries(reasons(plugin, pod, cluster)).flatMap(([name, against]) =>
    against.length === 0 ? [name] : [],
  )
}

/** Node name → normalized score; undefined if the plugin does not care. */
export function scores(plugin: Plugin, pod: Pod, cluster: Snapshot): Record<string, number> | undefined {
  const { nodes } = cluster
  const scorer = plugin.preScore?.(pod, cluster, nodes)
  if (scorer === undefined) return undefined
  const raw = nodes.map((info) => scorer.score(info))
  const normalized = scorer.normalize?.(raw, nodes) ?? raw
  return Object.fromEntries(nodes.map((info, index) => [nameOf(info), normalized[index] ?? NaN]))
}
