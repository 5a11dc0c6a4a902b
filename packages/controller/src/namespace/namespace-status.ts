/**
 * What a namespace that is being deleted says about it: five conditions, each about one thing that can hold it up.
 * Pure. Types, reasons and message forms are those that people find when they ask why a namespace is stuck Terminating
 * (upstream: pkg/controller/namespace/deletion/status_condition_utils.go).
 */

import { setCondition } from '@dinghy/shared/api/conditions'
import type { Namespace } from '@dinghy/shared/api/types'

/** The outcome of one attempt to empty a namespace. */
export interface Progress {
  /** Discovery failed: there may be contents that we do not know of. */
  discoveryFailure?: string
  /** One text for each resource whose contents could not be deleted. */
  deletionFailures: string[]
  /** What is still there, for each resource: "pods." → 2, "replicasets.apps" → 1. */
  remaining: Map<string, number>
  /** The finalizers of what is still there, and how many objects have each. */
  finalizers: Map<string, number>
}

type NamespaceCondition = NonNullable<Namespace['status']['conditions']>[number]

export function isEmpty({ discoveryFailure, deletionFailures, remaining }: Progress): boolean {
  return discoveryFailure === undefined && deletionFailures.length === 0 && remaining.size === 0
}

/** The same list (same identity) when nothing has changed. */
export function conditionsOf(
  present: NamespaceCondition[] | undefined,
  { discoveryFailure, deletionFailures, remaining, finalizers }: Progress,
  now: string,
): NamespaceCondition[] {
  const failures = deletionFailures.toSorted()
  const next: [type: string, problem: [reason: string, message: string] | undefined, fine: [string, string]][] = [
    [
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailure === undefined ? undefined : ['DiscoveryFailed', `Discovery failed: ${discoveryFailure}`],
      ['ResourcesDiscovered', 'All resources successfully discovered'],
    ],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      undefined,
      ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
    ],
    [
      'NamespaceDeletionContentFailure',
      failures.length === 0
        ? undefined
        : [
            'ContentDeletionFailed',
            `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
          ],
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    ],
    [
      'NamespaceContentRemaining',
      remaining.size === 0
        ? undefined
        : ['SomeResourcesRemain', `Some resources are remaining: ${counted(remaining, 'has', 'resource instances')}`],
      ['ContentRemoved', 'All content successfully removed'],
    ],
    [
      'NamespaceFinalizersRemaining',
      finalizers.size === 0
        ? undefined
        : [
            'SomeFinalizersRemain',
            `Some content in the namespace has finalizers remaining: ${counted(finalizers, 'in', 'resource instances')}`,
          ],
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ],
  ]
  return next.reduce((conditions: NamespaceCondition[] | undefined, [type, problem, fine]) => {
    const [reason, message] = problem ?? fine
    return setCondition(conditions, { type, status: problem ? 'True' : 'False', reason, message }, now)
  }, present) as NamespaceCondition[]
}

function counted(counts: Map<string, number>, verb: string, noun: string): string {
  const sorted = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([name, count]) => `${name} ${verb} ${count} ${noun}`).join(', ')
}
