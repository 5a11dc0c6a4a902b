/**
 * GET /events: past events since a moment, then those that come, until another.
 */
import { parseMoment } from '../timestamps.ts'
import type { DockerEvent } from '../events.ts'
import type { Deps } from './deps.ts'
import { anyOf, labelsMatch, parseFilters, type Filters } from '../filters.ts'
import { openStream } from './request.ts'
import type { Router } from './router.ts'

const eventFilters = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
]

export function eventRoutes(router: Router, { events, clock }: Deps): void {
  router.add('GET', '/events', ({ query, signal }, reply) => {
    const filters = parseFilters(query.get('filters'), eventFilters)
    const now = clock.now()
    const since = parseMoment(query.get('since'), now)
    const until = parseMoment(query.get('until'), now)
    const response = openStream(reply, 'application/json')
    const send = (event: DockerEvent) => {
      if (eventMatches(event, filters)) response.write(`${JSON.stringify(event)}\n`)
    }
    if (since !== undefined) {
      const first = Number(since) / 1e6
      const last = until === undefined ? Infinity : Number(until) / 1e6
      events
        .recent()
        .filter(({ timeNano }) => timeNano / 1e6 >= first && timeNano / 1e6 <= last)
        .forEach(send)
    }
    if (until !== undefined && Number(until) / 1e6 <= now) {
      response.end()
      return
    }
    events.subscribe(send, signal)
    if (until === undefined) return
    clock.sleep(Number(until) / 1e6 - now, signal).then(
      () => response.end(),
      () => undefined, // the client went first
    )
  })
}

/** Pure. */
export function eventMatches(event: DockerEvent, filters: Filters): boolean {
  const { Type, Action, Actor } = event
  const isActor = (wanted: string) => Actor.ID.startsWith(wanted) || Actor.Attributes['name'] === wanted
  const ofType = (type: DockerEvent['Type']) => anyOf(filters, type, (wanted) => Type === type && isActor(wanted))
  const isImage = (wanted: string) =>
    Type === 'image'
      ? isActor(wanted)
      : Actor.Attributes['image'] === wanted || Actor.Attributes['image']?.split(':')[0] === wanted
  return (
    anyOf(filters, 'type', (type) => Type === type) &&
    // "exec_create" stands for "exec_create: sh -c …".
    anyOf(filters, 'event', (wanted) => Action === wanted || Action.startsWith(`${wanted}:`)) &&
    anyOf(filters, 'scope', (scope) => scope === 'local') &&
    ofType('container') &&
    ofType('network') &&
    ofType('volume') &&
    ofType('daemon') &&
    anyOf(filters, 'image', isImage) &&
    labelsMatch(filters, Actor.Attributes)
  )
}
