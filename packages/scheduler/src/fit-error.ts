/**
 * FitError: why no node will do, in the sentence that `kubectl describe pod` shows:
 *   0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: 0/3 nodes are available: …
 */

import type { Refusal } from './framework.ts'

/** What the plugins found, in the words that people will read. */
export interface Diagnosis {
  nodeCount: number
  /** By node name. */
  refusals: ReadonlyMap<string, Refusal>
  /** Set when a plugin refused the pod whatever the node. */
  everywhere?: Refusal
  /** The plugins that refused: those whose isHelpedBy decides when to try again. */
  refusedBy: ReadonlySet<string>
}

export function fitErrorMessage({ nodeCount, refusals, everywhere }: Diagnosis, preemption = ''): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods'
  const tail = preemption === '' ? '' : ` ${preemption}`
  const head = `0/${nodeCount} nodes are available:`
  if (everywhere !== undefined) return `${head} ${everywhere.reasons.join(', ')}.${tail}`
  return `${head} ${histogram([...refusals.values()].flatMap(({ reasons }) => reasons))}.${tail}`
}

/** "1 Insufficient cpu, 2 node(s) were unschedulable": each reason with how often it was given, sorted as text. */
export function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return Array.from(counts, ([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ')
}
