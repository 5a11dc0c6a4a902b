/**
 * A watch on the wire: one JSON line an event, for as long as both sides like.
 *
 * Callers may rely on: the headers go out at once; an event's bytes are rendered once and shared by all watchers that
 * want the same form; a client that reads slowly slows only its own stream, and is cut off when storage gives up on it.
 * What happens at once leaves in one write, and the more clients watch, the longer each rests after a write, so that
 * all together never cost more than a part of the processor. Errors after the headers travel as an ERROR event, as
 * upstream; clients then list and watch anew.
 */

import { eventStream } from './event-stream.ts'
import { toStatus } from '@dinghy/shared/api/errors'
import type { Clock } from '@dinghy/shared/api/clock'
import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { bytesOf, objectOf } from '../registry/resources.ts'
import type { ObjectEvent } from '../registry/watch.ts'
import type { Entry } from '../storage/storage.ts'
import { SlowWatcher } from '../storage/storage.ts'
import type { Format } from './negotiation.ts'
import type { Reply } from './reply.ts'
import type { TableOptions } from './represent.ts'
import { metadataOnly, tableOf } from './represent.ts'
import { WritePace } from './write-pace.ts'

const bookmarkIntervalMs = 60_000
const minTimeoutSeconds = 1800
const pace = new WritePace()

export interface WatchStreamOptions {
  clock: Clock
  format: Format
  table: TableOptions
  allowBookmarks: boolean
  timeoutSeconds: number | undefined
  requestBookmark: () => void
}

/**
 * The answer whose body ends when the events do, or the client goes away. `stop` ends the events. The definition is
 * asked for with every event, since it may change meanwhile.
 */
export function watchReply(
  definition: () => ResourceDefinition,
  events: AsyncIterable<ObjectEvent[]>,
  stop: () => void,
  options: WatchStreamOptions,
): Reply {
  const lines = linesOf(definition, events, stop, options)
  return { code: 200, contentType: options.format.mediaType, body: eventStream(lines) }
}

async function* linesOf(
  definition: () => ResourceDefinition,
  events: AsyncIterable<ObjectEvent[]>,
  stop: () => void,
  options: WatchStreamOptions,
): AsyncIterable<Buffer[]> {
  const { clock, allowBookmarks } = options
  // Upstream spreads the ends of endless watches over half an hour, so that not all clients come back at once.
  const seconds = options.timeoutSeconds ?? minTimeoutSeconds * (1 + Math.random())
  const timeout = clock.setTimeout(stop, seconds * 1000)
  const bookmarks = allowBookmarks ? repeat(clock, bookmarkIntervalMs, options.requestBookmark) : undefined
  const render = renderer(definition, options)
  pace.open()
  try {
    for await (const batch of events) {
      const told = allowBookmarks ? batch : batch.filter(({ type }) => type !== 'BOOKMARK')
      if (told.length === 0) continue
      yield told.map(render)
      await pace.rest(clock)
    }
  } catch (error) {
    // The stream breaks, and with it the connection.
    if (error instanceof SlowWatcher) throw error
    yield [line('ERROR', JSON.stringify(toStatus(error)))]
  } finally {
    pace.close()
    clock.clear(timeout)
    bookmarks?.()
  }
}

function repeat(clock: Clock, ms: number, act: () => void): () => void {
  let timer = clock.setTimeout(tick, ms)
  function tick() {
    timer = clock.setTimeout(tick, ms)
    act()
  }
  return () => clock.clear(timer)
}

function renderer(
  currentDefinition: () => ResourceDefinition,
  { format, table }: WatchStreamOptions,
): (event: ObjectEvent) => Buffer {
  const { transform } = format
  // Like upstream, only the first Table of a stream explains its columns.
  let withDefinitions = true
  return (event) => {
    const definition = currentDefinition()
    if (event.type === 'BOOKMARK') return line('BOOKMARK', JSON.stringify(bookmark(definition, event, format)))
    if (!transform) return plainLine(definition, event)
    const object = objectOf(definition, event.entry)
    if (transform.kind !== 'Table') return line(event.type, JSON.stringify(metadataOnly(object, transform.apiVersion)))
    const { resourceVersion } = object.metadata
    const row = tableOf(transform.apiVersion, definition, [object], { resourceVersion }, table, withDefinitions)
    withDefinitions = false
    return line(event.type, JSON.stringify(row))
  }
}

/** The lines of the newest changes, which all watchers are about to want. Older ones would only cost memory. */
const recentLines = new Map<Entry, Map<string, Buffer>>()
const maxRecentLines = 256

function plainLine(
  definition: ResourceDefinition,
  { type, entry }: Exclude<ObjectEvent, { type: 'BOOKMARK' }>,
): Buffer {
  const bytes = bytesOf(definition, entry)
  if (bytes !== entry.value) return line(type, bytes)
  const known = recentLines.get(entry)?.get(type)
  if (known) return known
  const made = line(type, bytes)
  const ofEntry = recentLines.get(entry) ?? new Map<string, Buffer>()
  recentLines.set(entry, ofEntry.set(type, made))
  for (const oldest of recentLines.keys()) {
    if (recentLines.size <= maxRecentLines) break
    recentLines.delete(oldest)
  }
  return made
}

function line(type: string, object: Buffer | string): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), Buffer.from(object), Buffer.from('}\n')])
}

function bookmark(
  definition: ResourceDefinition,
  { revision, initialEventsEnd }: Extract<ObjectEvent, { type: 'BOOKMARK' }>,
  { transform }: Format,
): Partial<KubernetesObject> | object {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  }
  if (transform?.kind === 'Table') {
    return {
      kind: 'Table',
      apiVersion: transform.apiVersion,
      metadata: { resourceVersion: String(revision) },
      columnDefinitions: null,
      rows: [],
    }
  }
  if (transform) return { kind: 'PartialObjectMetadata', apiVersion: transform.apiVersion, metadata }
  return { kind: definition.kind, apiVersion: apiVersionOf(definition), metadata }
}
