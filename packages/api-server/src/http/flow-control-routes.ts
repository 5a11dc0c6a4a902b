/**
 * /debug/api_priority_and_fairness: what waits, runs and was turned away, level by level, queue by queue, request by
 * request.
 */

import { dumpPriorityLevels, dumpQueues, dumpRequests } from '../flow-control/dumps.ts'
import type { FlowController } from '../flow-control/flow-controller.ts'
import type { PathRoutes } from './path-routes.ts'
import { textReply } from './reply.ts'

const base = '/debug/api_priority_and_fairness'

export function flowControlRoutes(controller: FlowController): PathRoutes {
  return {
    [`${base}/dump_priority_levels`]: () => textReply(dumpPriorityLevels(controller)),
    [`${base}/dump_queues`]: () => textReply(dumpQueues(controller)),
    [`${base}/dump_requests`]: ({ query }) => textReply(dumpRequests(controller, query.has('includeRequestDetails'))),
  }
}
