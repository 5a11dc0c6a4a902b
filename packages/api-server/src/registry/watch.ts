/**
 * Watch: the changes of what a selection shows, which is not the same as the changes of the objects.
 *
 * An object that starts to match is ADDED for this watcher, one that stops to match is DELETED, though in storage both
 * were merely modified; `transition` is that rule. A watch without a resourceVersion (or with 0) begins with the
 * present, told as ADDED events, and goes on from the revision of that list, so nothing can fall in between.
 */

import { badRequest, invalid } from '@dinghy/shared/api/errors'
import { forbidden } from '@dinghy/shared/api/field-errors'
import type { ChangeEvent } from '../storage/recent-events.ts'
import type { Storage, StorageEvent } from '../storage/storage.ts'
import { Entry } from '../storage/storage.ts'
import { listPage, matches } from './list.ts'
import { parseResourceVersion } from './list-request.ts'
import { keyPrefix } from './object-key.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { prepare } from './resources.ts'
import { asStatusError } from './revision-errors.ts'
import type { Selection } from './selection.ts'
import type { StoreParts } from './store-parts.ts'

export type ObjectEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; revision: number; entry: Entry }
  /** Nothing before `revision` is still to come. */
  | { type: 'BOOKMARK'; revision: number; initialEventsEnd?: true }

export interface WatchRequest {
  namespace?: string | undefined
  selection: Selection
  resourceVersion?: string | undefined
  resourceVersionMatch?: string | undefined
  sendInitialEvents?: boolean | undefined
  allowWatchBookmarks?: boolean | undefined
  /** Called with a function that makes the stream tell how far it is, as a BOOKMARK behind the waiting events. */
  onStart?: (requestBookmark: () => void) => void
}

/**
 * All at once that have happened since the last ones. Rejects at once for a request that makes no sense; a past that is
 * gone is thrown from the iteration.
 */
export async function watchObjects(
  parts: Pick<StoreParts, 'storage' | 'resources'>,
  definition: ResourceDefinition,
  request: WatchRequest,
  signal: AbortSignal,
): Promise<AsyncIterable<ObjectEvent[]>> {
  validate(request)
  const { initial, from } = await start(parts.storage, definition, request)
  return events(parts, definition, request, initial, from, signal)
}

async function* events(
  { storage, resources }: Pick<StoreParts, 'storage' | 'resources'>,
  definition: ResourceDefinition,
  request: WatchRequest,
  initial: Entry[],
  from: number,
  signal: AbortSignal,
): AsyncGenerator<ObjectEvent[]> {
  try {
    const live = storage.watch(keyPrefix(definition.storage, request.namespace), from, signal)
    request.onStart?.(() => live.requestProgress())
    for (const entry of initial) yield [{ type: 'ADDED', revision: entry.revision, entry }]
    if (request.sendInitialEvents) yield [{ type: 'BOOKMARK', revision: from, initialEventsEnd: true }]
    for await (const batch of live.batches()) {
      // A watch outlives changes of the definition, and shows objects as it says by now.
      const current = resources.current(definition)
      if (current.storage.view) await prepare(current, batch.flatMap(entriesOf))
      const isMatch = (entry: Entry) => matches(request.selection, current, entry)
      const shown: ObjectEvent[] = []
      for (const event of batch) {
        const told = event.type === 'PROGRESS' ? bookmarkAt(event.revision) : transition(event, isMatch)
        if (told) shown.push(told)
      }
      if (shown.length > 0) yield shown
    }
  } catch (error) {
    throw asStatusError('watch', error)
  }
}

function entriesOf(event: StorageEvent): Entry[] {
  if (event.type === 'PROGRESS') return []
  return event.previous ? [event.entry, event.previous] : [event.entry]
}

function bookmarkAt(revision: number): ObjectEvent {
  return { type: 'BOOKMARK', revision }
}

/** What a watcher who sees only matching objects is told of a change, if anything. */
export function transition(event: ChangeEvent, matches: (entry: Entry) => boolean): ObjectEvent | undefined {
  const { type, revision, entry, previous } = event
  const is = type !== 'DELETED' && matches(entry)
  const before = type === 'DELETED' ? entry : previous
  const was = before && matches(before) ? before : undefined
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', revision, entry }
  if (!was) return undefined
  return { type: 'DELETED', revision, entry: was === entry ? entry : atRevision(was, revision) }
}

/** The last state that matched, with the number of the change that ended it: a client resumes from there. */
function atRevision(entry: Entry, revision: number): Entry {
  const object = entry.copy()
  object.metadata.resourceVersion = String(revision)
  return new Entry(entry.key, revision, entry.createRevision, Buffer.from(JSON.stringify(object)))
}

async function start(
  storage: Storage,
  definition: ResourceDefinition,
  request: WatchRequest,
): Promise<{ initial: Entry[]; from: number }> {
  const wanted = parseResourceVersion(request.resourceVersion) ?? 0
  if (request.sendInitialEvents === false && wanted === 0) return { initial: [], from: storage.revision }
  if (wanted > 0 && !request.sendInitialEvents) return { initial: [], from: wanted }
  const { selection, namespace } = request
  const page = await listPage({ storage }, definition, { selection, namespace })
  return { initial: page.entries, from: page.revision }
}

function validate({ sendInitialEvents, resourceVersionMatch, allowWatchBookmarks }: WatchRequest): void {
  const fail = (field: string, detail: string) => invalid('meta.k8s.io', 'ListOptions', '', [forbidden(field, detail)])
  if (sendInitialEvents === undefined) {
    if (resourceVersionMatch) {
      throw fail(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      )
    }
    return
  }
  if (resourceVersionMatch !== 'NotOlderThan') {
    throw fail('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  }
  if (sendInitialEvents && allowWatchBookmarks === false)
    throw badRequest('sendInitialEvents needs allowWatchBookmarks')
}
