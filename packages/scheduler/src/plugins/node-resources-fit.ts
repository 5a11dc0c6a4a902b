/**
 * NodeResourcesFit: what the pod asks for must be free on the node; of the nodes where it is, the one with the most
 * left is best (the LeastAllocated strategy, over cpu and memory), unless the profile says otherwise: MostAllocated
 * fills nodes up one after the other, RequestedToCapacityRatio follows a curve that somebody drew.
 */

import type { Pod } from '@dinghy/shared/api/types'
import { maxNodeScore, nodeIn, type Plugin, type Refusal } from '../framework.ts'
import { allocatable, podRequests, podRequestsAssumed, type Resources } from '../resources.ts'
import type { NodeInfo } from '../snapshot.ts'

/** A point of a curve: so much in use, so good. */
export interface ShapePoint {
  /** 0…100 */
  utilization: number
  /** 0…10 */
  score: number
}

export interface ScoredResource {
  name: string
  weight: number
}

export interface NodeResourcesFitArgs {
  /** Resources, and the groups of resources ("example.com"), that need not be free. */
  ignoredResources?: readonly string[]
  ignoredResourceGroups?: readonly string[]
  strategy?: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio'
  resources?: readonly ScoredResource[]
  /** For RequestedToCapacityRatio, by rising utilization. */
  shape?: readonly ShapePoint[]
}

export const cpuAndMemory: readonly ScoredResource[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]

export function nodeResourcesFit(args: NodeResourcesFitArgs = {}): Plugin {
  const isIgnored = ignoring(args)
  const { strategy = 'LeastAllocated', resources = cpuAndMemory, shape = [] } = args
  const scoreOf = { LeastAllocated: leftOver, MostAllocated: inUse, RequestedToCapacityRatio: curve(shape) }[strategy]
  return {
    name: 'NodeResourcesFit',
    weight: 1,

    preFilter: (pod) => (info) => fits(podRequests(pod), info, isIgnored),

    preScore: (pod) => ({ score: (info) => meanScore(podRequestsAssumed(pod), info, resources, scoreOf) }),

    isHelpedBy(event, pod) {
      if (event.type === 'AssignedPodDeleted') return true // if nothing else, it leaves one place for a pod
      if (event.type === 'AssignedPodUpdated') return asksForLess(event.previous, event.pod)
      const node = nodeIn(event)
      return (
        node !== undefined &&
        Object.entries(podRequests(pod)).every(
          ([name, amount]) => isIgnored(name) || amount <= (allocatable(node)[name] ?? 0),
        )
      )
    },
  }
}

function ignoring({ ignoredResources = [], ignoredResourceGroups = [] }: NodeResourcesFitArgs) {
  const names = new Set(ignoredResources)
  const groups = new Set(ignoredResourceGroups)
  return (name: string): boolean => names.has(name) || (name.includes('/') && groups.has(name.split('/')[0] ?? ''))
}

function fits(requests: Resources, info: NodeInfo, isIgnored: (resource: string) => boolean): Refusal | undefined {
  const reasons: string[] = []
  if (info.pods.length + 1 > (info.allocatable['pods'] ?? 0)) reasons.push('Too many pods')
  let unresolvable = false
  for (const [name, amount] of Object.entries(requests)) {
    const all = info.allocatable[name] ?? 0
    if (isIgnored(name) || amount === 0 || amount <= all - (info.requested[name] ?? 0)) continue
    reasons.push(`Insufficient ${name}`)
    // It would not fit on the empty node either.
    if (amount > all) unresolvable = true
  }
  if (reasons.length === 0) return undefined
  return { code: unresolvable ? 'UnschedulableAndUnresolvable' : 'Unschedulable', reasons }
}

/** Of one resource: `used` of `all` will be in use, with the pod on the node. */
type ResourceScore = (used: number, all: number) => number

function leftOver(used: number, all: number): number {
  return used > all ? 0 : Math.trunc(((all - used) * maxNodeScore) / all)
}

function inUse(used: number, all: number): number {
  // Scoring assumes something of pods that ask for nothing, so more may be in use than there is.
  return Math.trunc((Math.min(used, all) * maxNodeScore) / all)
}

/** Straight lines from point to point, and level before the first and after the last. */
function curve(shape: readonly ShapePoint[]): ResourceScore {
  return (used, all) => {
    const utilization = used > all ? 100 : Math.trunc((used * 100) / all)
    const after = shape.findIndex((point) => utilization <= point.utilization)
    const [left, right] = [shape[after - 1], shape[after]]
    const flat = right ?? shape.at(-1)
    if (left === undefined || right === undefined) return (flat?.score ?? 0) * shapeScale
    const way = (utilization - left.utilization) / (right.utilization - left.utilization)
    return left.score * shapeScale + Math.trunc((right.score - left.score) * shapeScale * way)
  }
}

/** A shape's scores go to 10, a node's to 100. */
const shapeScale = maxNodeScore / 10

/** The weighted mean over those resources that the node has at all. */
function meanScore(
  requests: Resources,
  { allocatable, requestedAssumed }: NodeInfo,
  resources: readonly ScoredResource[],
  scoreOf: ResourceScore,
): number {
  let [sum, weights] = [0, 0]
  for (const { name, weight } of resources) {
    const all = allocatable[name] ?? 0
    if (all === 0) continue
    sum += scoreOf((requestedAssumed[name] ?? 0) + (requests[name] ?? 0), all) * weight
    weights += weight
  }
  return weights === 0 ? 0 : Math.trunc(sum / weights)
}

function asksForLess(previous: Pod, pod: Pod): boolean {
  const now = podRequests(pod)
  return Object.entries(podRequests(previous)).some(([name, amount]) => (now[name] ?? 0) < amount)
}
