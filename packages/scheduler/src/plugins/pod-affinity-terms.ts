/**
 * Pod affinity terms, read once: which pods a term speaks of, and the label of nodes by which "together" is measured.
 */

import { labelSelectorFrom, matchesLabels, type Selector } from '@dinghy/shared/api/selectors'
import type { Pod, PodAffinityTerm } from '@dinghy/shared/api/types'
import type { Lookups } from '../snapshot.ts'

export interface Term {
  readonly topologyKey: string
  /** Whether the term speaks of this pod. */
  selects(pod: Pod): boolean
}

/** Terms as written in `owner`: without any namespace they mean the owner's own. */
export function readTerms(terms: readonly PodAffinityTerm[] | undefined, owner: Pod, lookups: Lookups): Term[] {
  return (terms ?? []).map((term) => readTerm(term, owner, lookups))
}

export function readTerm(term: PodAffinityTerm, owner: Pod, lookups: Lookups): Term {
  const { topologyKey, namespaces = [], namespaceSelector } = term
  const pods = labelSelectorFrom(term.labelSelector)
  const inNamespaces: Selector | undefined = namespaceSelector && labelSelectorFrom(namespaceSelector)
  const named = new Set(namespaces.length > 0 || inNamespaces ? namespaces : [owner.metadata.namespace])
  const speaksOf = (namespace: string) =>
    named.has(namespace) ||
    (inNamespaces !== undefined && matchesLabels(inNamespaces, lookups.namespaceLabels(namespace)))
  return {
    topologyKey,
    selects: ({ metadata }) => matchesLabels(pods, metadata.labels) && speaksOf(metadata.namespace ?? ''),
  }
}
