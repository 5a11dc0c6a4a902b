/**
 * Taints from conditions: what is wrong with a node, in the words that the scheduler (NoSchedule) and the taint
 * eviction controller (NoExecute) understand. Pure.
 *
 *   Ready False ──► not-ready      MemoryPressure, DiskPressure, PIDPressure, NetworkUnavailable True ──► their taints
 *   Ready Unknown ► unreachable    spec.unschedulable (kubectl cordon) ──► unschedulable
 *
 * Only not-ready and unreachable are NoExecute as well: they make pods leave. Whether that may happen now is decided
 * elsewhere (eviction-limiter.ts). Taints of other keys belong to others and are left alone.
 */

import type { Node, Taint } from '@dinghy/shared/api/types'
import { readyCondition } from './heartbeat.ts'

/** allow: taint. hold: no node more than there are. cancel: take the taints away, the fault may be ours. */
export type EvictionMode = 'allow' | 'hold' | 'cancel'

const prefix = 'node.kubernetes.io/'
const notReady = `${prefix}not-ready`
const unreachable = `${prefix}unreachable`

const taintOfCondition: Record<string, string> = {
  MemoryPressure: `${prefix}memory-pressure`,
  DiskPressure: `${prefix}disk-pressure`,
  PIDPressure: `${prefix}pid-pressure`,
  NetworkUnavailable: `${prefix}network-unavailable`,
}

const noScheduleKeys = new Set([notReady, unreachable, `${prefix}unschedulable`, ...Object.values(taintOfCondition)])
const noExecuteKeys = new Set([notReady, unreachable])

/** All taints that the node should have; undefined when they are right already. */
export function taintsToSet(node: Node, mode: EvictionMode, now: string): Taint[] | undefined {
  const present = node.spec.taints ?? []
  const foreign = present.filter((taint) => !isOurs(taint))
  const ours = [...noScheduleTaints(node), ...noExecuteTaints(node, mode)].map(
    // An eviction is timed from the moment of the taint, so a taint that stays keeps its time.
    (taint) => present.find((one) => isSame(one, taint)) ?? { ...taint, timeAdded: now },
  )
  const next = [...foreign, ...ours]
  return next.length === present.length && next.every((taint) => present.includes(taint)) ? undefined : next
}

/** Has the node been told to let its pods go? */
export function isEvicting(node: Node): boolean {
  return (node.spec.taints ?? []).some((taint) => taint.effect === 'NoExecute' && noExecuteKeys.has(taint.key))
}

function noScheduleTaints(node: Node): Taint[] {
  const ready = readyKey(node)
  const pressures = (node.status.conditions ?? []).flatMap(({ type, status }) => {
    const key = taintOfCondition[type]
    return key !== undefined && status === 'True' ? [key] : []
  })
  const keys = [...(ready ? [ready] : []), ...pressures, ...(node.spec.unschedulable ? [`${prefix}unschedulable`] : [])]
  return keys.map((key) => ({ key, effect: 'NoSchedule' }))
}

function noExecuteTaints(node: Node, mode: EvictionMode): Taint[] {
  const key = readyKey(node)
  if (key === undefined || mode === 'cancel') return []
  // not-ready and unreachable may always turn into one another: that makes no node more.
  return mode === 'allow' || isEvicting(node) ? [{ key, effect: 'NoExecute' }] : []
}

function readyKey(node: Node): string | undefined {
  switch (readyCondition(node)?.status) {
    case 'False':
      return notReady
    case 'Unknown':
      return unreachable
    default:
      return undefined
  }
}

function isOurs({ key, effect }: Taint): boolean {
  return effect === 'NoSchedule' ? noScheduleKeys.has(key) : effect === 'NoExecute' && noExecuteKeys.has(key)
}

function isSame(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect
}
