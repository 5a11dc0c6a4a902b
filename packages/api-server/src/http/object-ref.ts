/** Which object a request is about. Refused as upstream's naming strategies refuse what names nothing. */

import { badRequest } from '@dinghy/shared/api/errors'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { ObjectRef } from '../registry/store-parts.ts'
import type { Exchange } from './exchange.ts'

export function refOf({ info }: Exchange, definition: ResourceDefinition): ObjectRef {
  if (info.name === undefined) throw badRequest('name must be provided')
  return { namespace: definition.namespaced ? info.namespace : undefined, name: info.name }
}

/** The namespace that an object is created in; undefined for kinds that live in none. */
export function scopeOf(exchange: Exchange, definition: ResourceDefinition): string | undefined {
  return definition.namespaced ? namespaceOf(exchange) : undefined
}

export function namespaceOf({ info }: Exchange): string {
  if (info.namespace === undefined) throw badRequest('an empty namespace may not be set during creation')
  return info.namespace
}
