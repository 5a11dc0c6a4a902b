/**
 * The decision about a pod that extenders have a say in: schedulePod with their questions in between. Other pods wait
 * meanwhile, as upstream's do, for an answer about a cluster that has changed would be worth nothing.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { Extender } from './extender.ts'
import type { Plugin, Refusal } from './framework.ts'
import { findFeasibleNodes, scoreNodes, selectHost, type Decision, type Random } from './schedule.ts'
import { nameOf, type NodeInfo, type Snapshot } from './snapshot.ts'

export interface ExtendedScheduleDeps {
  extenders: readonly Extender[]
  log: Logger
  random: Random
}

/** Throws when an extender fails that may not be ignored. */
export async function scheduleWithExtenders(
  pod: Pod,
  cluster: Snapshot,
  plugins: readonly Plugin[],
  { extenders, log, random }: ExtendedScheduleDeps,
  signal: AbortSignal,
): Promise<Decision> {
  const found = findFeasibleNodes(pod, cluster, plugins)
  const refusals = new Map<string, Refusal>(found.diagnosis.refusals)
  const refusedBy = new Set(found.diagnosis.refusedBy)
  let feasible: NodeInfo[] = found.feasible
  for (const extender of extenders) {
    if (feasible.length === 0) break
    try {
      const answer = await extender.filter(pod, feasible, signal)
      feasible = answer.feasible
      for (const [name, refusal] of answer.refusals) {
        refusals.set(name, refusal)
        refusedBy.add(extender.name)
      }
    } catch (error) {
      if (signal.aborted || !extender.isIgnorable) throw error
      log.warn({ extender: extender.name, err: error }, 'the extender does not answer: placing pods without it')
    }
  }
  if (feasible.length === 0) return { nodeName: undefined, diagnosis: { ...found.diagnosis, refusals, refusedBy } }
  const scores = scoreNodes(pod, cluster, feasible, plugins)
  if (feasible.length > 1) {
    for (const extender of extenders) {
      // A wish that nobody can tell is not a reason to leave the pod without a node.
      const wishes = await extender.prioritize(pod, feasible, signal).catch((error: unknown) => {
        if (signal.aborted) throw error
        log.warn({ extender: extender.name, err: error }, 'the extender does not score: going on without')
        return new Map<string, number>()
      })
      for (const [name, score] of wishes) if (scores.has(name)) scores.set(name, (scores.get(name) ?? 0) + score)
    }
  }
  const nodeName = selectHost(scores, random) ?? nameOf(feasible[0] as NodeInfo)
  return { nodeName, feasible: feasible.length, evaluated: cluster.nodes.length }
}
