/**
 * List: one consistent look at many objects, in pages if asked.
 *
 * All pages of a list show the same revision: the first page's continue token carries it, and later pages read the
 * past. A selection is applied before the limit, so a page is full unless it is the last; upstream does the same.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import { badRequest } from '@dinghy/shared/api/errors'
import type { Entry, Storage } from '../storage/storage.ts'
import { decodeContinue, encodeContinue } from './continue-token.ts'
import type { ListRequest } from './list-request.ts'
import { readRevision } from './list-request.ts'
import { keyPrefix, objectKey } from './object-key.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { objectOf, prepare } from './resources.ts'
import { continuableWhenCompacted, expiredWhenCompacted } from './revision-errors.ts'
import type { Selection } from './selection.ts'
import { pinnedName } from './selection.ts'

export interface ListPage {
  revision: number
  entries: Entry[]
  continue?: string
  /** How many more there are; unknown, as upstream, when there is a selection. */
  remainingItemCount?: number
}

export async function listPage(
  { storage }: { storage: Storage },
  definition: ResourceDefinition,
  request: ListRequest,
): Promise<ListPage> {
  const prefix = keyPrefix(definition.storage, request.namespace)
  if (request.continue && request.resourceVersion && request.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue')
  }
  const bookmark = request.continue ? decodeContinue(request.continue, prefix) : undefined
  const revision = bookmark ? bookmark.revision : readRevision(storage, request)
  const after = bookmark?.after
  const { isEverything } = request.selection
  const read = () =>
    isEverything
      ? wholePage(storage, prefix, revision, request.limit, after)
      : candidatesFor(storage, prefix, definition, { ...request, revision, after })
  const page = bookmark
    ? continuableWhenCompacted(encodeContinue({ ...bookmark, revision: undefined }, prefix), read)
    : expiredWhenCompacted('list', read)
  await prepare(definition, page.entries)
  return isEverything ? page : selectedPage(page, prefix, definition, request)
}

function wholePage(
  storage: Storage,
  prefix: string,
  revision: number | undefined,
  limit?: number,
  after?: string,
): ListPage {
  const page = storage.list(prefix, { revision, limit, after })
  if (page.continue === undefined) return { revision: page.revision, entries: page.entries }
  return {
    revision: page.revision,
    entries: page.entries,
    continue: encodeContinue({ revision: page.revision, after: page.continue }, prefix),
    remainingItemCount: page.remaining,
  }
}

/** Everything that a selection may be true of, after the last page. */
function candidatesFor(
  storage: Storage,
  prefix: string,
  definition: ResourceDefinition,
  request: ListRequest & { revision: number | undefined; after: string | undefined },
): ListPage {
  const { revision, after } = request
  const entries = pinned(storage, definition, request, revision) ?? storage.list(prefix, { revision, after }).entries
  return { revision: revision ?? storage.revision, entries }
}

function selectedPage(
  candidates: ListPage,
  prefix: string,
  definition: ResourceDefinition,
  { selection, limit }: ListRequest,
): ListPage {
  const { revision } = candidates
  const matching = candidates.entries.filter((entry) => matches(selection, definition, entry))
  const last = limit ? matching[limit - 1] : undefined
  if (!last || matching.length === limit) return { revision, entries: matching }
  const entries = matching.slice(0, limit)
  return { revision, entries, continue: encodeContinue({ revision, after: last.key }, prefix) }
}

/** A list by name in a known place is a get: kubectl's `get NAME -w` and `wait` ask this way. */
function pinned(
  storage: Storage,
  definition: ResourceDefinition,
  request: ListRequest,
  revision: number | undefined,
): Entry[] | undefined {
  const name = pinnedName(request.selection)
  if (!name || (definition.namespaced && !request.namespace)) return undefined
  const entry = storage.get(objectKey(definition.storage, request.namespace, name), revision)
  return entry ? [entry] : []
}

export function matches(selection: Selection, definition: ResourceDefinition, entry: Entry): boolean {
  return selection.isEverything || selection.matches(objectOf(definition, entry))
}

/** The objects of a page, in the version of the definition. */
export function objectsOf(definition: ResourceDefinition, entries: Entry[]): KubernetesObject[] {
  return entries.map((entry) => objectOf(definition, entry))
}
