/**
 * The generic store: what the verbs of the API mean, the same for every kind (upstream's registry/generic/registry).
 *
 *   create   create.ts   default → admit → fill in metadata → prepare → validate → write
 *   update   update.ts   the same, against the present state, again if somebody else was faster; also patch, status, …
 *   delete   delete.ts   at once, gracefully, or when the last finalizer is gone (deletion-plan.ts decides)
 *   get, list   list.ts  now or at any revision that is kept; pages
 *   watch    watch.ts    events of what a selection shows
 *
 * Objects go in and out in the version of the definition that is passed; storage keeps one version of each.
 */

import { notFound } from '@dinghy/shared/api/errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Entry } from '../storage/storage.ts'
import { createObject } from './create.ts'
import { deleteCollection, deleteObject } from './delete.ts'
import type { DeleteOptions } from './deletion-plan.ts'
import type { ListPage } from './list.ts'
import { listPage } from './list.ts'
import type { ListRequest, RevisionQuery } from './list-request.ts'
import { readRevision } from './list-request.ts'
import { objectKey } from './object-key.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { expiredWhenCompacted } from './revision-errors.ts'
import type { ObjectRef, StoreParts } from './store-parts.ts'
import type { Change, UpdateOptions } from './update.ts'
import { updateObject } from './update.ts'
import type { ObjectEvent, WatchRequest } from './watch.ts'
import { watchObjects } from './watch.ts'
import type { WriteContext } from './write-context.ts'

export class Store {
  readonly parts: StoreParts

  constructor(parts: StoreParts) {
    this.parts = parts
  }

  /** Throws NotFound; for an exact resourceVersion, Expired if that past has been compacted. */
  get(definition: ResourceDefinition, { namespace, name }: ObjectRef, query: RevisionQuery = {}): Entry {
    const { storage } = this.parts
    const key = objectKey(definition.storage, namespace, name)
    const revision = readRevision(storage, query)
    const entry = expiredWhenCompacted('get', () => storage.get(key, revision))
    if (!entry) throw notFound(definition.group, definition.plural, name)
    return entry
  }

  list(definition: ResourceDefinition, request: ListRequest): Promise<ListPage> {
    return listPage(this.parts, definition, request)
  }

  watch(
    definition: ResourceDefinition,
    request: WatchRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<ObjectEvent[]>> {
    return watchObjects(this.parts, definition, request, signal)
  }

  create(
    definition: ResourceDefinition,
    namespace: string | undefined,
    object: KubernetesObject,
    context: WriteContext,
  ): Promise<Entry> {
    return createObject(this.parts, definition, namespace, object, context)
  }

  update(
    definition: ResourceDefinition,
    ref: ObjectRef,
    change: Change,
    context: WriteContext,
    options?: UpdateOptions,
  ): Promise<{ entry: Entry; created: boolean }> {
    return updateObject(this.parts, definition, ref, change, context, options)
  }

  /** The object as it is after the call: gone, or marked as being deleted. */
  delete(
    definition: ResourceDefinition,
    ref: ObjectRef,
    options: DeleteOptions,
    context: WriteContext,
  ): Promise<{ entry: Entry; removed: boolean }> {
    return deleteObject(this.parts, definition, ref, options, context)
  }

  deleteCollection(
    definition: ResourceDefinition,
    request: ListRequest,
    options: DeleteOptions,
    context: WriteContext,
  ): Promise<Entry[]> {
    return deleteCollection(this.parts, definition, request, options, context)
  }
}
