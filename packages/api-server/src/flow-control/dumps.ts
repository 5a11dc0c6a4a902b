/**
 * What flow control is doing at this moment, as comma-separated text: /debug/api_priority_and_fairness/
 * {dump_priority_levels,dump_queues,dump_requests}. Columns are upstream's (flowcontrol/apf_controller_debug.go); they
 * are padded, as its are, so that people can read them.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { FlowController, PriorityLevel } from './flow-controller.ts'
import { distinguisherOf } from './matching.ts'

type Row = (string | number | boolean)[]

export function dumpPriorityLevels({ levels }: FlowController): string {
  const header =
    'PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests'
  const rows = [...levels.values()].map((level): Row => {
    const { queues, executing, waiting } = level.queues
    const active = queues.filter((queue) => queue.waiting.length > 0).length
    const running = executing + level.exempted
    const { dispatched, rejected, timedOut, cancelled } = level.counts
    return [
      level.name,
      active,
      running + waiting === 0,
      false,
      waiting,
      running,
      dispatched,
      rejected,
      timedOut,
      cancelled,
    ]
  })
  return table(header, rows)
}

export function dumpQueues({ levels }: FlowController): string {
  const header =
    'PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum MaxSeatsSum TotalWorkSum'
  const rows = [...levels.values()].flatMap((level) =>
    level.queues.queues.map(({ index, waiting, executing, seatsInUse, nextStart }): Row => {
      const seats = waiting.reduce((sum, guest) => sum + guest.seats, 0)
      const work = `${(seats * 0.003).toFixed(8)}ss`
      return [level.name, index, waiting.length, executing, seatsInUse, `${nextStart.toFixed(8)}ss`, seats, seats, work]
    }),
  )
  return table(header, rows)
}

export function dumpRequests(controller: FlowController, withDetails: boolean): string {
  const header =
    'PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime'
  const details = ' UserName Verb APIPath Namespace Name APIVersion Resource SubResource'
  const rows = [...controller.levels.values()].flatMap((level) => waitingRows(controller, level, withDetails))
  return table(withDetails ? header + details : header, rows)
}

function waitingRows(controller: FlowController, level: PriorityLevel, withDetails: boolean): Row[] {
  return level.queues.queues.flatMap(({ index, waiting }) =>
    waiting.flatMap((guest, place): Row[] => {
      const known = controller.waiting.get(guest)
      if (!known) return []
      const { schema, flow, request } = known
      const arrived = new Date(guest.arrivedMs).toISOString()
      const row: Row = [level.name, schema, index, place, distinguisherOf(flow), arrived, guest.seats, 0, '0s', '']
      if (!withDetails) return [row]
      const { user, verb, path, namespace = '', name = '', resource, subresource = '' } = request
      return [[...row, user.username, verb, path, namespace, name, apiVersionOf(request), resource, subresource]]
    }),
  )
}

/** Cells end with a comma, and columns are as wide as their widest cell. */
function table(header: string, rows: Row[]): string {
  const lines = [header.split(' '), ...rows.map((row) => row.map(String))]
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((cells) => (cells[i] ?? '').length)))
  const line = (cells: string[]) =>
    cells.map((cell, i) => (i === cells.length - 1 ? cell : `${cell},`.padEnd((widths[i] ?? 0) + 2))).join('')
  return lines.map((cells) => `${line(cells)}\n`).join('')
}
