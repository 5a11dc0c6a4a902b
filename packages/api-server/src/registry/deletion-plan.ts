/**
 * What a delete does to an object, decided without doing it.
 *
 *   finalizers wait, or a grace period runs   →  mark: deletionTimestamp is set, the object stays
 *   it is already on its way out              →  wait: nothing changes
 *   nothing holds it                          →  remove
 *
 * A grace period can be shortened by a second delete, never prolonged. Upstream: rest.BeforeDelete and
 * Store.updateForGracefulDeletionAndFinalizers.
 */

import { invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'

export interface DeleteOptions {
  gracePeriodSeconds?: number | undefined
  propagationPolicy?: string | undefined
  /** The old way to say propagationPolicy. */
  orphanDependents?: boolean | undefined
  preconditions?: { uid?: string; resourceVersion?: string } | undefined
}

export type DeletionPlan = { action: 'remove' } | { action: 'wait' } | { action: 'mark'; object: KubernetesObject }

const orphan = 'orphan'
const foreground = 'foregroundDeletion'

/** `object` belongs to the callee: a marked object is this one, changed. */
export function planDeletion(
  definition: ResourceDefinition,
  object: KubernetesObject,
  options: DeleteOptions,
  nowMs: number,
): DeletionPlan {
  const { metadata } = object
  if (!metadata.deletionTimestamp) definition.strategy.prepareForDelete?.(object, rfc3339(nowMs))
  const finalizers = garbageCollectionFinalizers(definition, metadata.finalizers ?? [], options)
  const finalizersChange = finalizers.join() !== (metadata.finalizers ?? []).join()
  const grace = planGrace(definition, object, options.gracePeriodSeconds, nowMs)
  if (grace === 'pending') return { action: 'wait' }
  if (finalizers.length > 0) metadata.finalizers = finalizers
  else delete metadata.finalizers
  const held = finalizers.length > 0 || hasNamespaceFinalizers(object)
  if (grace.seconds === 0 && !held) return { action: 'remove' }
  if (grace.seconds === 0 && metadata.deletionTimestamp && metadata.deletionGracePeriodSeconds === 0) {
    return finalizersChange ? { action: 'mark', object } : { action: 'wait' }
  }
  metadata.deletionTimestamp = rfc3339(grace.at)
  metadata.deletionGracePeriodSeconds = grace.seconds
  if (metadata.generation) metadata.generation++
  if (isNamespace(object)) object.status = { ...object.status, phase: 'Terminating' }
  return { action: 'mark', object }
}

/** Whether an update takes away the last thing that held an object whose deletion has been asked for. */
export function isReadyToGo(next: KubernetesObject, previous: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = previous.metadata
  if (!deletionTimestamp || deletionGracePeriodSeconds > 0) return false
  return !next.metadata.finalizers?.length && !hasNamespaceFinalizers(next)
}

/** When the object is to go. For kinds without a grace period that is now. */
function planGrace(
  { strategy }: ResourceDefinition,
  object: KubernetesObject,
  requested: number | undefined,
  nowMs: number,
): 'pending' | { seconds: number; at: number } {
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata
  if (!deletionTimestamp) {
    const seconds = strategy.gracefulDelete?.(object, requested) ?? 0
    return { seconds, at: nowMs + seconds * 1000 }
  }
  const asked = Date.parse(deletionTimestamp) - (deletionGracePeriodSeconds ?? 0) * 1000
  if (!strategy.gracefulDelete || !deletionGracePeriodSeconds) return { seconds: 0, at: asked }
  if (requested === undefined || requested >= deletionGracePeriodSeconds) return 'pending'
  return { seconds: requested, at: asked + requested * 1000 }
}

/** The finalizers by which the garbage collector learns what to do with the dependents. */
function garbageCollectionFinalizers(
  definition: ResourceDefinition,
  finalizers: string[],
  options: DeleteOptions,
): string[] {
  const policy = propagationPolicy(definition, options)
  if (policy === undefined) {
    const chosen = finalizers.includes(orphan) || finalizers.includes(foreground)
    if (chosen || !orphansByDefault(definition)) return finalizers
    return [...finalizers, orphan]
  }
  const others = finalizers.filter((finalizer) => finalizer !== orphan && finalizer !== foreground)
  if (policy === 'Orphan') return [...others, orphan]
  return policy === 'Foreground' ? [...others, foreground] : others
}

function propagationPolicy({ group }: ResourceDefinition, options: DeleteOptions): string | undefined {
  const { propagationPolicy: policy, orphanDependents } = options
  const refuse = (problem: fieldErrors.FieldError) => invalid('meta.k8s.io', 'DeleteOptions', '', [problem])
  if (policy !== undefined && orphanDependents !== undefined) {
    const value = { propagationPolicy: policy, orphanDependents }
    throw refuse(
      fieldErrors.invalid('propagationPolicy', value, 'orphanDependents and deletionPropagation cannot be both set'),
    )
  }
  if (policy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(policy)) {
    throw refuse(fieldErrors.notSupported('propagationPolicy', policy, ['Background', 'Foreground', 'Orphan']))
  }
  // Dependents of Events do not exist; upstream never adds the finalizer to what is written in masses.
  if (group === 'events.k8s.io') return 'Background'
  return policy ?? (orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background')
}

/** Kinds that are older than the garbage collector leave their pods behind unless told otherwise. */
function orphansByDefault({ group, plural }: ResourceDefinition): boolean {
  return (group === '' && plural === 'replicationcontrollers') || (group === 'batch' && plural === 'jobs')
}

/** A Namespace is held by spec.finalizers until its content is gone. */
function hasNamespaceFinalizers(object: KubernetesObject): boolean {
  return isNamespace(object) && (object.spec?.finalizers?.length ?? 0) > 0
}

interface NamespaceLike extends KubernetesObject {
  spec?: { finalizers?: string[] }
  status?: { phase?: string }
}

function isNamespace(object: KubernetesObject): object is NamespaceLike {
  return object.kind === 'Namespace' && object.apiVersion === 'v1'
}
