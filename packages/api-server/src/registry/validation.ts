/**
 * All problems of an object in one answer: the rules of every object's metadata and those of its kind.
 */

import { invalid } from '@dinghy/shared/api/errors'
import type { FieldError } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { validateObjectMeta, validateObjectMetaUpdate } from './kinds/object-meta.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import type { WriteContext } from './write-context.ts'

export function requireValidCreate(
  definition: ResourceDefinition,
  object: KubernetesObject,
  context: WriteContext,
): void {
  const { strategy } = definition
  refuse(definition, object, [
    ...validateObjectMeta(definition, object),
    ...(strategy.validate?.(object) ?? []),
    ...(strategy.validateCreate?.(object) ?? []),
  ])
  for (const warning of strategy.warnings?.(object) ?? []) context.warn(warning)
}

export function requireValidUpdate(
  definition: ResourceDefinition,
  next: KubernetesObject,
  previous: KubernetesObject,
  subresource: string | undefined,
  context: WriteContext,
): void {
  const { strategy } = definition
  const metadata = [...validateObjectMeta(definition, next), ...validateObjectMetaUpdate(next, previous)]
  if (subresource === 'status') {
    refuse(definition, next, [...metadata, ...(strategy.validateStatusUpdate?.(next, previous) ?? [])])
    return
  }
  const rules = subresource === undefined || subresource === 'scale' ? strategy : strategy.subresources?.[subresource]
  const body = rules === strategy ? (strategy.validate?.(next) ?? []) : []
  refuse(definition, next, [...metadata, ...body, ...(rules?.validateUpdate?.(next, previous) ?? [])])
  for (const warning of strategy.warnings?.(next, previous) ?? []) context.warn(warning)
}

function refuse({ group, kind }: ResourceDefinition, object: KubernetesObject, problems: FieldError[]): void {
  if (problems.length > 0) throw invalid(group, kind, object.metadata.name ?? '', problems)
}
