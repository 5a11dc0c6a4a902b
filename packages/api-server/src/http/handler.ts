/**
 * The one signature that everything has which answers a request for a resource.
 */

import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Exchange } from './exchange.ts'
import type { Reply } from './reply.ts'
import type { Services } from './services.ts'

/** What answers one verb of a resource. Undefined when it has taken the connection (exec, attach, port-forward). */
export type Handler = (
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
) => Reply | undefined | Promise<Reply | undefined>
