/**
 * Objects and lists in the form the client asked for: as they are stored, as a Table, or as metadata only.
 *
 * The usual form costs nothing: stored bytes are copied, a list is their concatenation. Upstream leaves out kind and
 * apiVersion of the items of a built-in list; here each item is whole, as custom resources are there.
 */

import { notAcceptable } from '@dinghy/shared/api/errors'
import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { Clock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ListPage } from '../registry/list.ts'
import { objectsOf } from '../registry/list.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { bytesOf, objectOf } from '../registry/resources.ts'
import type { Entry } from '../storage/storage.ts'
import type { Format } from './negotiation.ts'
import type { IncludeObject } from './table.ts'
import { toTable } from './table.ts'

export interface TableOptions {
  clock: Clock
  includeObject: IncludeObject
}

export interface ListMeta {
  resourceVersion: string
  continue?: string
  remainingItemCount?: number
}

export function representObject(
  format: Format,
  definition: ResourceDefinition,
  entry: Entry,
  options: TableOptions,
): Buffer {
  const { transform } = format
  if (!transform) return bytesOf(definition, entry)
  const object = objectOf(definition, entry)
  switch (transform.kind) {
    case 'Table': {
      const { resourceVersion } = object.metadata
      return encode(tableOf(transform.apiVersion, definition, [object], { resourceVersion }, options))
    }
    case 'PartialObjectMetadata':
      return encode(metadataOnly(object, transform.apiVersion))
    default:
      throw notAcceptable(['application/json;as=PartialObjectMetadata'])
  }
}

export function representList(
  format: Format,
  definition: ResourceDefinition,
  page: ListPage,
  options: TableOptions,
): Buffer {
  const { transform } = format
  const metadata = listMeta(page)
  if (!transform)
    return listBytes(
      definition.listKind,
      apiVersionOf(definition),
      metadata,
      page.entries.map((entry) => bytesOf(definition, entry)),
    )
  const objects = objectsOf(definition, page.entries)
  switch (transform.kind) {
    case 'Table':
      return encode(tableOf(transform.apiVersion, definition, objects, metadata, options))
    case 'PartialObjectMetadataList': {
      const items = objects.map((object) => metadataOnly(object, transform.apiVersion))
      return encode({ kind: 'PartialObjectMetadataList', apiVersion: transform.apiVersion, metadata, items })
    }
    default:
      throw notAcceptable(['application/json;as=PartialObjectMetadataList'])
  }
}

export function metadataOnly(object: KubernetesObject, apiVersion: string): KubernetesObject {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata }
}

export function tableOf(
  apiVersion: string,
  definition: Pick<ResourceDefinition, 'columns'>,
  objects: KubernetesObject[],
  metadata: ListMeta,
  { clock, includeObject }: TableOptions,
  withDefinitions = true,
): unknown {
  const table = toTable(definition, { metadata, items: objects }, { includeObject, now: clock.now(), withDefinitions })
  return { ...table, apiVersion }
}

function listMeta(page: ListPage): ListMeta {
  const { revision, continue: token, remainingItemCount } = page
  return {
    resourceVersion: String(revision),
    ...(token ? { continue: token } : {}),
    ...(remainingItemCount !== undefined ? { remainingItemCount } : {}),
  }
}

function listBytes(kind: string, apiVersion: string, metadata: ListMeta, items: Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`${JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1)},"items":[`)]
  items.forEach((item, i) => parts.push(...(i > 0 ? [comma, item] : [item])))
  return Buffer.concat([...parts, Buffer.from(']}\n')])
}

const comma = Buffer.from(',')

export function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
