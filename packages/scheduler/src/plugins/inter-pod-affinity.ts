/**
 * InterPodAffinity: pods that want to be near other pods, or far from them. "Near" is measured by a label of the nodes
 * (topologyKey): two nodes are in the same domain if they have the same value of it.
 *
 * Three things must hold: the pod's own affinity, its own anti-affinity, and the anti-affinity of the pods that are
 * there already, which also counts against newcomers. All are counted per domain once; asking about a node is then a
 * look-up.
 */

import type { Pod } from '@dinghy/shared/api/types'
import { maxNodeScore, unresolvable, unschedulable, type ClusterEvent, type Plugin } from '../framework.ts'
import { labelsOf, type NodeInfo, type Snapshot } from '../snapshot.ts'
import { readTerm, readTerms, type Term } from './pod-affinity-terms.ts'

export interface InterPodAffinityArgs {
  /** How much a pod that had to be near others is drawn to newcomers that match; 0…100. */
  hardPodAffinityWeight?: number
  /** What pods that are there prefer does not count for a pod that has no wishes itself. */
  ignorePreferredTermsOfExistingPods?: boolean
}

export function interPodAffinity(args: InterPodAffinityArgs = {}): Plugin {
  const { hardPodAffinityWeight = 1, ignorePreferredTermsOfExistingPods: ignoresTheirs = false } = args
  return {
    name: 'InterPodAffinity',
    weight: 2,

    preFilter(pod, cluster) {
      const { affinity, antiAffinity } = requiredTerms(pod, cluster)
      const near = new DomainCounts()
      const far = new DomainCounts()
      const repelled = new DomainCounts()
      for (const info of cluster.nodes) {
        for (const other of info.pods) {
          // A pod counts towards affinity only if it satisfies every term at once.
          if (affinity.every((term) => term.selects(other))) affinity.forEach((term) => near.add(term, info))
          antiAffinity.filter((term) => term.selects(other)).forEach((term) => far.add(term, info))
          const others = requiredTerms(other, cluster).antiAffinity
          others.filter((term) => term.selects(pod)).forEach((term) => repelled.add(term, info))
        }
      }
      if (affinity.length === 0 && far.isEmpty && repelled.isEmpty) return undefined
      // The first of a group that wants to be together has nobody to be near, and must not wait for ever.
      const isFirst = near.isEmpty && affinity.every((term) => term.selects(pod))

      return (info) => {
        const hasDomains = affinity.every((term) => term.topologyKey in labelsOf(info))
        if (!hasDomains || !(isFirst || affinity.every((term) => near.at(term.topologyKey, info) > 0))) {
          return unresolvable("node(s) didn't match pod affinity rules")
        }
        if (antiAffinity.some((term) => far.at(term.topologyKey, info) > 0)) {
          return unschedulable("node(s) didn't match pod anti-affinity rules")
        }
        if (repelled.touches(info)) return unschedulable("node(s) didn't satisfy existing pods anti-affinity rules")
        return undefined
      }
    },

    preScore(pod, cluster) {
      const wishes = preferences(pod, cluster)
      const weights = new DomainCounts()
      for (const info of cluster.nodes) {
        for (const other of info.pods) {
          for (const { term, weight } of wishes) if (term.selects(other)) weights.add(term, info, weight)
          const theirs = ignoresTheirs && wishes.length === 0 ? [] : preferences(other, cluster)
          for (const { term, weight } of [...theirs, ...attractions(other, cluster, hardPodAffinityWeight)]) {
            if (term.selects(pod)) weights.add(term, info, weight)
          }
        }
      }
      if (weights.isEmpty) return undefined
      return { score: (info) => weights.total(info), normalize: stretch }
    },

    isHelpedBy: mayMoveDomains,
  }
}

/** Any of these can change which pods are in which domain. */
export function mayMoveDomains(event: ClusterEvent): boolean {
  return event.type !== 'VolumeChanged'
}

function requiredTerms(pod: Pod, { lookups }: Snapshot): { affinity: Term[]; antiAffinity: Term[] } {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  return {
    affinity: readTerms(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution, pod, lookups),
    antiAffinity: readTerms(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution, pod, lookups),
  }
}

interface Wish {
  term: Term
  /** Negative: rather not. */
  weight: number
}

function preferences(pod: Pod, { lookups }: Snapshot): Wish[] {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  const near = podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const far = podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return [
    ...near.map(({ weight, podAffinityTerm }) => ({ term: readTerm(podAffinityTerm, pod, lookups), weight })),
    ...far.map(({ weight, podAffinityTerm }) => ({ term: readTerm(podAffinityTerm, pod, lookups), weight: -weight })),
  ]
}

/** A pod that had to be near others is drawn to them a little from their side too. */
function attractions(pod: Pod, cluster: Snapshot, weight: number): Wish[] {
  return weight === 0 ? [] : requiredTerms(pod, cluster).affinity.map((term) => ({ term, weight }))
}

/** Stretches whatever range the sums span to 0…100. */
function stretch(scores: readonly number[]): number[] {
  const [low, high] = [Math.min(...scores), Math.max(...scores)]
  return scores.map((score) => (high === low ? 0 : Math.trunc((maxNodeScore * (score - low)) / (high - low))))
}

/** topologyKey → value → a number. */
class DomainCounts {
  readonly #counts = new Map<string, Map<string, number>>()

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  /** Counts for the domain that the node is in; a node without the label is in none. */
  add({ topologyKey }: Term, info: NodeInfo, amount = 1): void {
    const value = labelsOf(info)[topologyKey]
    if (value === undefined) return
    const values = this.#counts.get(topologyKey) ?? new Map<string, number>()
    values.set(value, (values.get(value) ?? 0) + amount)
    this.#counts.set(topologyKey, values)
  }

  at(topologyKey: string, info: NodeInfo): number {
    return this.#counts.get(topologyKey)?.get(labelsOf(info)[topologyKey] ?? '') ?? 0
  }

  /** The sum over all of the node's domains. */
  total(info: NodeInfo): number {
    return [...this.#counts.keys()].reduce((sum, key) => sum + this.at(key, info), 0)
  }

  touches(info: NodeInfo): boolean {
    return [...this.#counts.keys()].some((key) => this.at(key, info) > 0)
  }
}
