/**
 * From request info to the handler: which definition, which verb, which subresource. What does not exist is told apart
 * here: an unknown path is 404, a known path with a verb that it does not have is 405.
 */

import { methodNotSupported, unknownResource } from '@dinghy/shared/api/errors'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Handler } from './handler.ts'
import { get, list, watch } from './read-verbs.ts'
import type { RequestInfo } from './request-info.ts'
import type { Services } from './services.ts'
import { createOnlyHandler } from './create-only.ts'
import { subresourceHandler } from './subresources.ts'
import { create, patch, remove, removeCollection, update } from './write-verbs.ts'

const methodVerbs: Record<string, Handler> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
}

export function findHandler(
  info: RequestInfo,
  services: Services,
): { definition: ResourceDefinition; handler: Handler } {
  const definition = services.resources.get(info.group, info.version, info.resource)
  if (!definition || !isInScope(info, definition)) throw unknownResource()
  const { group, plural } = definition
  if (info.subresource !== undefined) {
    const handler = subresourceHandler(definition, info.subresource, info.verb)
    if (handler === 'no such subresource') throw unknownResource()
    if (handler === 'no such verb') throw methodNotSupported(group, `${plural}/${info.subresource}`, info.verb)
    return { definition, handler }
  }
  const verbs = definition.createOnly ? createOnlyHandler(definition) : methodVerbs
  const handler = definition.verbs.includes(info.verb) ? verbs[info.verb] : undefined
  const named = info.name !== undefined
  const misplaced = info.verb === 'create' ? named : info.verb === 'update' || info.verb === 'patch' ? !named : false
  // Across all namespaces one can look, and nothing else.
  const isAcross = definition.namespaced && info.namespace === undefined && !['list', 'watch'].includes(info.verb)
  if (!handler || misplaced || isAcross) throw methodNotSupported(group, plural, info.verb)
  return { definition, handler }
}

/** A namespaced object has a namespace in its path; a cluster-wide one has none. Lists may span all namespaces. */
function isInScope({ namespace, resource, name }: RequestInfo, { namespaced }: ResourceDefinition): boolean {
  if (resource === 'namespaces') return true
  return namespaced ? namespace !== undefined || name === undefined : namespace === undefined
}
