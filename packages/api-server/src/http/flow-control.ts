/**
 * The flow control stage: a request gets its seat, waits for it, or is turned away, before anybody looks at what it
 * wants. Who decides is flow-control/flow-controller.ts.
 */

import type { UserInfo } from '../auth/user.ts'
import { type FlowController, turnedAway } from '../flow-control/flow-controller.ts'
import type { FlowRequest } from '../flow-control/matching.ts'
import type { Exchange } from './exchange.ts'
import { keyPrefix } from '../registry/object-key.ts'
import type { RequestInfo } from './request-info.ts'
import type { Services } from './services.ts'

const lastingSubresources = new Set(['log', 'exec', 'attach', 'portforward', 'proxy'])

/** It waits for events, not for us. */
export function isLasting({ verb, subresource }: RequestInfo): boolean {
  return verb === 'watch' || (subresource !== undefined && lastingSubresources.has(subresource))
}

/**
 * Throws, or rejects with, TooManyRequests. The ticket must be released when the answer is out; a watch needs it only
 * until it begins (`exchange.ticket`).
 */
export function takeSeat(exchange: Exchange, controller: FlowController, seats: number): Promise<void> | undefined {
  const { info, user, reply } = exchange
  if (info.verb !== 'watch' && isLasting(info)) return undefined
  const { schemaUid, levelUid, ticket, seated } = controller.enter(flowRequestOf(info, user), seats)
  reply.header('x-kubernetes-pf-flowschema-uid', schemaUid)
  reply.header('x-kubernetes-pf-prioritylevel-uid', levelUid)
  if (!ticket) throw turnedAway()
  exchange.ticket = ticket
  return seated
}

/** Written out, because to spread it costs as much as all else here. */
function flowRequestOf(info: RequestInfo, user: UserInfo): FlowRequest {
  const { verb, isResource, path, group, version, resource, subresource, namespace, name } = info
  return { user, verb, isResource, path, group, version, resource, subresource, namespace, name }
}

const objectsPerSeat = 100
const maxSeats = 10

/** A list of many objects keeps the server busy for as long as many small requests. */
export function seatsOf({ verb, group, version, resource, namespace }: RequestInfo, services: Services): number {
  if (verb !== 'list') return 1
  const definition = services.resources.get(group, version, resource)
  if (!definition) return 1
  const count = services.storage.count(keyPrefix(definition.storage, namespace))
  return Math.min(maxSeats, Math.max(1, Math.ceil(count / objectsPerSeat)))
}
