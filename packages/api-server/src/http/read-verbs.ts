/**
 * get, list and watch: what the store shows, in the form that was asked for.
 */

import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { prepare } from '../registry/resources.ts'
import type { Exchange } from './exchange.ts'
import { negotiate } from './negotiation.ts'
import { refOf } from './object-ref.ts'
import type { Reply } from './reply.ts'
import { encoded } from './reply.ts'
import type { TableOptions } from './represent.ts'
import { representList, representObject } from './represent.ts'
import { integer, listRequest, watchRequest } from './request-options.ts'
import type { Services } from './services.ts'
import { watchReply } from './watch-stream.ts'

/** With resourceVersionMatch=Exact this is time travel: the object as it was at that revision. */
export async function get(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const format = negotiate(exchange.request.headers.accept)
  const entry = services.store.get(definition, refOf(exchange, definition), {
    resourceVersion: exchange.parameter('resourceVersion'),
    resourceVersionMatch: exchange.parameter('resourceVersionMatch'),
  })
  await prepare(definition, [entry])
  return encoded(format, representObject(format, definition, entry, tableOptions(exchange, services)))
}

export async function list(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const format = negotiate(exchange.request.headers.accept)
  const page = await services.store.list(definition, listRequest(exchange, definition))
  return encoded(format, representList(format, definition, page, tableOptions(exchange, services)))
}

export async function watch(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const format = negotiate(exchange.request.headers.accept)
  const request = watchRequest(exchange, definition)
  const ended = new AbortController()
  let requestBookmark = () => {}
  const events = await services.store.watch(
    definition,
    { ...request, onStart: (request) => (requestBookmark = request) },
    AbortSignal.any([exchange.signal, ended.signal, services.resources.removalOf(definition)]),
  )
  return watchReply(
    () => services.resources.current(definition),
    events,
    () => ended.abort(),
    {
      clock: services.clock,
      format,
      table: tableOptions(exchange, services),
      allowBookmarks: request.allowWatchBookmarks ?? false,
      timeoutSeconds: integer(exchange, 'timeoutSeconds'),
      requestBookmark: () => requestBookmark(),
    },
  )
}

export function tableOptions(exchange: Exchange, { clock }: Services): TableOptions {
  const wish = exchange.parameter('includeObject')
  return { clock, includeObject: wish === 'Object' || wish === 'None' ? wish : 'Metadata' }
}
