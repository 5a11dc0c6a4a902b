/**
 * From the number that the metrics propose to the one that is set: not beyond the bounds, not too fast, not to and fro.
 * Pure; follows podautoscaler/horizontal.go.
 *
 *   proposal ─► stabilize: the gentlest of the proposals of the last minutes ─► limit: bounds, and what may change in
 *                                                                              a period
 *
 * What was proposed and done lately is a value (`ScaleHistory`) that goes in and comes out.
 */

import type {
  HorizontalPodAutoscalerBehavior,
  HPAScalingPolicy,
  HPAScalingRules,
} from 'kubernetes-types/autoscaling/v2.js'

export interface ScaleHistory {
  proposals: { replicas: number; atMs: number }[]
  /** How many replicas were added or, negative, taken away. */
  changes: { by: number; atMs: number }[]
}

export const noHistory: ScaleHistory = { proposals: [], changes: [] }

export interface Wish {
  current: number
  proposed: number
  min: number
  max: number
  behavior: HorizontalPodAutoscalerBehavior | undefined
  /** For behaviour that does not say: --horizontal-pod-autoscaler-downscale-stabilization. */
  downscaleStabilizationMs: number
  now: number
}

export interface Told {
  reason: string
  message: string
}

export interface Settled {
  replicas: number
  /** Why it may or may not scale: the condition AbleToScale. */
  able: Told
  /** The condition ScalingLimited. */
  limited: Told & { isLimited: boolean }
  history: ScaleHistory
}

const asProposed: Told = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' }
const upStabilized: Told = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
}
const downStabilized: Told = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
}
const within: Told = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
}

export function settle(wish: Wish, history: ScaleHistory): Settled {
  const { now, proposed } = wish
  const rules = rulesOf(wish)
  const { replicas: stabilized, told } = stabilize(wish, rules, history)
  const { replicas, told: why } = limit({ ...wish, proposed: stabilized }, rules, history)
  const longestMs = Math.max(rules.up.windowMs, rules.down.windowMs)
  const proposals = history.proposals.filter(({ atMs }) => atMs >= now - longestMs)
  return {
    replicas,
    able: stabilized === proposed ? asProposed : told,
    limited: { ...why, isLimited: replicas !== stabilized },
    history: { ...history, proposals: [...proposals, { replicas: proposed, atMs: now }] },
  }
}

/** After the number was set. Changes are kept for as long as a period may look back. */
export function withChange(history: ScaleHistory, by: number, now: number): ScaleHistory {
  return {
    ...history,
    changes: [...history.changes.filter(({ atMs }) => atMs > now - longestPeriodMs), { by, atMs: now }],
  }
}

/** The longest period that a policy may have: half an hour. */
const longestPeriodMs = 1_800_000

interface Rules {
  windowMs: number
  select: string
  policies: HPAScalingPolicy[]
}

/** Without a behaviour: up as upstream always did, to twice as many or to four; down at once, after the window. */
function rulesOf({ behavior, downscaleStabilizationMs }: Wish): { up: Rules; down: Rules } {
  const rules = (given: HPAScalingRules | undefined, windowMs: number, policies: HPAScalingPolicy[]): Rules => ({
    windowMs: given?.stabilizationWindowSeconds === undefined ? windowMs : given.stabilizationWindowSeconds * 1000,
    select: given?.selectPolicy ?? 'Max',
    policies: given?.policies ?? policies,
  })
  return {
    up: rules(behavior?.scaleUp, 0, []),
    down: rules(behavior?.scaleDown, downscaleStabilizationMs, []),
  }
}

function stabilize(
  { current, proposed, now, behavior }: Wish,
  { up, down }: { up: Rules; down: Rules },
  { proposals }: ScaleHistory,
): { replicas: number; told: Told } {
  // Without a behaviour the highest proposal of the window counts, whichever way it goes.
  const isUp = behavior !== undefined && proposed >= current
  const { windowMs } = isUp ? up : down
  const recent = proposals.filter(({ atMs }) => atMs > now - windowMs).map(({ replicas }) => replicas)
  const replicas = isUp ? Math.min(proposed, ...recent) : Math.max(proposed, ...recent)
  return { replicas, told: isUp ? upStabilized : downStabilized }
}

function limit(
  wish: Wish,
  { up, down }: { up: Rules; down: Rules },
  { changes }: ScaleHistory,
): { replicas: number; told: Told } {
  const { current, proposed, min, max, behavior, now } = wish
  const changed = (periodSeconds: number, isUp: boolean) =>
    changes
      .filter(({ by, atMs }) => atMs > now - periodSeconds * 1000 && by > 0 === isUp)
      .reduce((sum, { by }) => sum + Math.abs(by), 0)
  if (proposed > current) {
    const fastest = behavior ? Math.max(upLimit(current, up, changed), current) : Math.max(2 * current, 4)
    const most = Math.min(max, fastest)
    if (proposed <= most) return { replicas: proposed, told: within }
    return { replicas: most, told: max > fastest ? tooFast('increasing', 'ScaleUpLimit') : tooMany }
  }
  const slowest = behavior && proposed < current ? Math.min(downLimit(current, down, changed), current) : -Infinity
  const least = Math.max(min, slowest)
  if (proposed >= least) return { replicas: proposed, told: within }
  return { replicas: least, told: min < slowest ? tooFast('decreasing', 'ScaleDownLimit') : tooFew }
}

const tooMany: Told = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
}
const tooFew: Told = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
}

function tooFast(how: string, reason: string): Told {
  return { reason, message: `the desired replica count is ${how} faster than the maximum scale rate` }
}

type Changed = (periodSeconds: number, isUp: boolean) => number

function upLimit(current: number, { select, policies }: Rules, changed: Changed): number {
  if (select === 'Disabled') return current
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const before = current - changed(periodSeconds, true)
    // Rounded up: from one replica, 10 % more must mean something.
    return type === 'Pods' ? before + value : Math.ceil(before * (1 + value / 100))
  })
  return select === 'Min' ? Math.min(...limits) : Math.max(...limits)
}

function downLimit(current: number, { select, policies }: Rules, changed: Changed): number {
  if (select === 'Disabled') return current
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const before = current + changed(periodSeconds, false)
    return type === 'Pods' ? before - value : Math.floor(before * (1 - value / 100))
  })
  // The policy of the smallest change leaves the most.
  return select === 'Min' ? Math.max(...limits) : Math.min(...limits)
}
