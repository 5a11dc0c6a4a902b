/**
 * labelSelector and fieldSelector as one question: does this object belong to the answer?
 */

import { badRequest } from '@dinghy/shared/api/errors'
import type { FieldRequirement, Selector } from '@dinghy/shared/api/selectors'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '@dinghy/shared/api/selectors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from './resource-definition.ts'

export interface Selection {
  labels: Selector
  fields: FieldRequirement[]
  /** Nothing was asked for: everything matches. */
  isEverything: boolean
  matches(object: KubernetesObject): boolean
}

/** Throws BadRequest for a selector that cannot be parsed or names a field that cannot be selected by. */
export function parseSelection(
  definition: ResourceDefinition,
  options: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
): Selection {
  const labels = parseLabelSelector(options.labelSelector ?? '')
  const fields = parseFieldSelector(options.fieldSelector ?? '')
  for (const { field } of fields) requireSelectable(definition, field)
  return {
    labels,
    fields,
    isEverything: labels.requirements.length === 0 && fields.length === 0,
    matches: (object) =>
      matchesLabels(labels, object.metadata.labels) &&
      matchesFields(fields, (field) => fieldOf(definition, object, field)),
  }
}

/** The name that a selection pins, if it does: such a list is a get. */
export function pinnedName({ fields }: Selection): string | undefined {
  return fields.find(({ field, operator }) => field === 'metadata.name' && operator === '=')?.value
}

function fieldOf(definition: ResourceDefinition, object: KubernetesObject, field: string): string | undefined {
  if (field === 'metadata.name') return object.metadata.name
  if (field === 'metadata.namespace') return object.metadata.namespace
  return definition.selectableFields[field]?.(object)
}

function requireSelectable(definition: ResourceDefinition, field: string): void {
  if (field === 'metadata.name' || (field === 'metadata.namespace' && definition.namespaced)) return
  if (!Object.hasOwn(definition.selectableFields, field)) throw badRequest(`field label not supported: ${field}`)
}
