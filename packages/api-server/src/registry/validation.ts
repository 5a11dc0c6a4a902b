/**
 * All problems of an object in one answer: the rules of every object's metadata and those of its kind.
 */

import { invalid } from '@dinghy/shared/api/errors'
import type { FieldError } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { validateObjectMeta, validateObjectMetaUpdate } from './kinds/object-meta.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import type { SubresourceRules } from './subresource-rules.ts'
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
  rules: SubresourceRules,
  next: KubernetesObject,
  previous: KubernetesObject,
  context: WriteContext,
): void {
  refuse(definition, next, [
    ...validateObjectMeta(definition, next),
    ...validateObjectMetaUpdate(next, previous),
    ...rules.validate(next, previous),
  ])
  if (!rules.isAuthored) return
  for (const warning of definition.strategy.warnings?.(next, previous) ?? []) context.warn(warning)
}

function refuse({ group, kind }: ResourceDefinition, object: KubernetesObject, problems: FieldError[]): void {
  if (problems.length > 0) throw invalid(group, kind, object.metadata.name ?? '', problems)
}
