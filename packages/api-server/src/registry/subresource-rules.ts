/**
 * What an update may change and must satisfy, by the way it came: the object itself, /status, /scale, or another
 * subresource (ephemeralcontainers, finalize, approval, binding, …). One place for all that depends on it.
 */

import type { FieldError } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'

export interface SubresourceRules {
  /** The part of what was sent that this way of writing may change; everything else stays as it was. */
  select(next: KubernetesObject, previous: KubernetesObject): KubernetesObject
  prepare(next: KubernetesObject, previous: KubernetesObject, now: string): void
  /** Besides the rules of metadata. */
  validate(next: KubernetesObject, previous: KubernetesObject): FieldError[]
  /** Whether a change counts as a new wish of the author's, and is worth a warning. */
  isAuthored: boolean
}

export function rulesFor(definition: ResourceDefinition, subresource: string | undefined): SubresourceRules {
  const { strategy, subresources } = definition
  switch (subresource) {
    case 'status':
      return {
        select: (next, previous) => strategy.selectStatus?.(next, previous) ?? selectStatus(next, previous),
        prepare: (next, previous, now) => strategy.prepareForStatusUpdate?.(next, previous, now),
        validate: (next, previous) => strategy.validateStatusUpdate?.(next, previous) ?? [],
        // What a controller notes down about an object is no new wish: a Deployment's revision annotation comes this
        // way.
        isAuthored: false,
      }
    case undefined:
    case 'scale':
      return {
        select: subresource === undefined && subresources.status ? keepStatus : (next) => next,
        prepare: (next, previous) => strategy.prepareForUpdate?.(next, previous),
        validate: (next, previous) => [
          ...(strategy.validate?.(next) ?? []),
          ...(strategy.validateUpdate?.(next, previous) ?? []),
        ],
        isAuthored: true,
      }
    default: {
      const own = ownRules(strategy.subresources, subresource)
      return {
        select: (next) => next,
        prepare: (next, previous) => own?.prepareForUpdate?.(next, previous),
        validate: (next, previous) => own?.validateUpdate?.(next, previous) ?? [],
        isAuthored: true,
      }
    }
  }
}

function ownRules<T>(rules: Record<string, T> = {}, subresource: string): T | undefined {
  return Object.hasOwn(rules, subresource) ? rules[subresource] : undefined
}

interface WithStatus {
  status?: unknown
}

/** Whoever reads an object that had a status relies on there being one, as in Go: null and nothing are an empty one. */
function selectStatus(next: KubernetesObject, previous: KubernetesObject): KubernetesObject {
  const { labels, annotations, managedFields } = next.metadata
  const metadata = { ...structuredClone(previous.metadata), labels, annotations, managedFields }
  const status = (next as WithStatus).status ?? {}
  return { ...structuredClone(previous), metadata, status } as KubernetesObject
}

function keepStatus(next: KubernetesObject, previous: KubernetesObject): KubernetesObject {
  const { status } = previous as WithStatus
  if (status === undefined) delete (next as WithStatus).status
  else (next as WithStatus).status = structuredClone(status)
  return next
}
