/**
 * For tests of kinds: runs an object through what the store would put it through, short of storing it.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { loadCel } from '../cel/load-cel.ts'
import { conform } from '../shape/conform.ts'
import { builtinDefinitions } from '../registry/definitions.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { validateObjectMeta } from '../registry/kinds/object-meta.ts'

const definitions = builtinDefinitions(loadSchema())
// Some rules need it; the store would have waited for it.
await loadCel()

export interface Loose extends KubernetesObject {
  spec: Record<string, never>
  status: Record<string, never>
  [field: string]: unknown
}

/** By plural, or "<plural>.<version>" where there are several. */
export function definitionOf(resource: string): ResourceDefinition {
  const [plural, version] = resource.split('.')
  const found = definitions.find((d) => d.plural === plural && (version === undefined || d.version === version))
  if (!found) throw new Error(`no resource ${resource}`)
  return found
}

/** As a create leaves it; metadata.name is "x" unless given. */
export function created(resource: string, sent: object): Loose {
  const definition = definitionOf(resource)
  const { object: conformed, unknownFields } = conform(sent, definition.type, definition.types)
  if (unknownFields.length > 0) throw new Error(unknownFields.join(', '))
  const object = { apiVersion: apiVersionOf(definition), kind: definition.kind, ...conformed } as Loose
  const metadata = {
    name: 'x',
    ...(definition.namespaced ? { namespace: 'default' } : {}),
    uid: 'uid-1',
    resourceVersion: '1',
    creationTimestamp: '2025-01-01T00:00:00Z',
  }
  object.metadata = { ...metadata, ...object.metadata }
  definition.strategy.defaults?.(object)
  definition.strategy.prepareForCreate?.(object)
  return object
}

/** What is wrong with it, as messages. */
export function problemsOf(resource: string, sent: object): string[] {
  const definition = definitionOf(resource)
  const object = created(resource, sent)
  const { strategy } = definition
  const errors = [
    ...validateObjectMeta(definition, object),
    ...(strategy.validate?.(object) ?? []),
    ...(strategy.validateCreate?.(object) ?? []),
  ]
  return errors.map(fieldErrorMessage)
}

/** What is wrong with changing the object so; `change` works on a copy of the created one, once that has the status. */
export function problemsOfUpdate(
  resource: string,
  sent: object,
  change: (object: Loose) => void,
  status?: object,
): string[] {
  const { strategy } = definitionOf(resource)
  const previous = created(resource, sent)
  if (status) Object.assign(previous, { status })
  const next = structuredClone(previous)
  change(next)
  strategy.defaults?.(next)
  strategy.prepareForUpdate?.(next, previous)
  return (strategy.validateUpdate?.(next, previous) ?? []).map(fieldErrorMessage)
}

/** What the author of a new object is warned of. */
export function warningsOf(resource: string, sent: object): string[] {
  return definitionOf(resource).strategy.warnings?.(created(resource, sent)) ?? []
}

/** What the author of such a change is warned of. */
export function warningsOfUpdate(resource: string, sent: object, change: (object: Loose) => void): string[] {
  const previous = created(resource, sent)
  const next = structuredClone(previous)
  change(next)
  return definitionOf(resource).strategy.warnings?.(next, previous) ?? []
}
