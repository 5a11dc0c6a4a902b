/**
 * Which subresource is served by whom. Those that show their parent in another light (status, finalize, approval, …) go
 * through the generic verbs, and the kind's strategy knows what they may change; the others have a file each.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Handler } from './handler.ts'
import { get } from './read-verbs.ts'
import { createBinding } from './subresources/binding.ts'
import { connectToContainer } from './subresources/connect.ts'
import { createEviction } from './subresources/eviction.ts'
import { podLog } from './subresources/log.ts'
import { proxy } from './subresources/proxy.ts'
import { getScale, patchScale, updateScale } from './subresources/scale.ts'
import { createToken } from './subresources/token.ts'
import { patch, update } from './write-verbs.ts'

const parentInAnotherLight: Record<string, Handler> = { get, update, patch }

const handlers: Record<string, Record<string, Handler>> = {
  scale: { get: getScale, update: updateScale, patch: patchScale },
  binding: { create: createBinding },
  eviction: { create: createEviction },
  token: { create: createToken },
  log: { get: podLog },
  exec: { get: connectToContainer, create: connectToContainer },
  attach: { get: connectToContainer, create: connectToContainer },
  portforward: { get: connectToContainer, create: connectToContainer },
  // Upstream's discovery does not name OPTIONS, but its proxies hand it on.
  proxy: { get: proxy, create: proxy, update: proxy, patch: proxy, delete: proxy, options: proxy },
}

export function subresourceHandler(
  { subresources }: ResourceDefinition,
  name: string,
  verb: string,
): Handler | 'no such subresource' | 'no such verb' {
  const shape = subresources.shapes.find((shape) => shape.name === name)
  if (!shape) return 'no such subresource'
  const own = ownValue(handlers, name)
  const handler = own ? ownValue(own, verb) : shape.verbs.includes(verb) ? parentInAnotherLight[verb] : undefined
  return handler ?? 'no such verb'
}
