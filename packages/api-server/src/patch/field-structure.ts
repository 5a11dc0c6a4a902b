/**
 * How server-side apply sees a value: as one thing, as fields, or as items that can be told apart – and, from that,
 * which fields a value has and which differ between two. Follows structured-merge-diff.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { FieldShape, TypeRef, TypeSource } from '@dinghy/shared/schema/type-shape'
import { isObject, type JsonObject } from '../shape/json.ts'
import { fieldElement, FieldSet, keyElement, leaf, valueElement } from './field-set.ts'

/** A value's place in the schema; undefined type where the schema says nothing. */
export interface Place {
  type: TypeRef | undefined
  field?: FieldShape | undefined
}

/**
 * - leaf: a scalar, or an object or list that is owned as a whole
 * - fields: an object, or a map
 * - items: a list whose items have keys, or are a set of scalars
 */
export type Structure = 'leaf' | 'fields' | 'items'

export function structureOf(value: unknown, place: Place, types: TypeSource): Structure {
  const { type, field } = place
  if (isObject(value)) {
    if (field?.atomic || type?.kind === 'scalar') return 'leaf'
    return type?.kind === 'object' && types.type(type.type)?.atomic ? 'leaf' : 'fields'
  }
  if (!Array.isArray(value)) return 'leaf'
  return field && !field.atomic && field.listType !== 'atomic' ? 'items' : 'leaf'
}

/** The parts of a value that is no leaf, by path element, in order. */
export function partsOf(
  value: unknown,
  place: Place,
  types: TypeSource,
): Map<string, { value: unknown; place: Place }> {
  const parts = new Map<string, { value: unknown; place: Place }>()
  if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      parts.set(fieldElement(key), { value: item, place: placeOfField(place, key, types) })
    }
  } else if (Array.isArray(value)) {
    const type = place.type?.kind === 'list' ? place.type.of : undefined
    for (const item of value) parts.set(itemElement(item, place.field), { value: item, place: { type } })
  }
  return parts
}

function placeOfField({ type }: Place, key: string, types: TypeSource): Place {
  if (type?.kind === 'map') return { type: type.of }
  if (type?.kind !== 'object') return { type: undefined }
  const field = types.type(type.type)?.fields.get(key)
  return { type: field?.type, field }
}

/** Keys that authors may leave out because the schema has a default for them. */
const keyDefaults: JsonObject = { protocol: 'TCP' }

function itemElement(item: unknown, field: FieldShape | undefined): string {
  if (field?.listType !== 'map') return valueElement(item)
  const keys = field.listMapKeys.toSorted().map((key) => {
    const value = (isObject(item) ? item[key] : undefined) ?? (field.listMapKeyDefaults ?? keyDefaults)[key]
    if (value === undefined) {
      const missing = `element of ${field.name} omits key field ${JSON.stringify(key)} (and doesn't have default value)`
      throw badRequest(`failed to create typed patch object: associative list with keys has an ${missing}`)
    }
    return [key, value] as const
  })
  return keyElement(Object.fromEntries(keys))
}

/** The fields a value has: leaves, items, the keys of maps, and whatever is empty. */
export function fieldsOf(value: unknown, place: Place, types: TypeSource): FieldSet {
  const structure = structureOf(value, place, types)
  if (structure === 'leaf') return leaf
  const parts = [...partsOf(value, place, types)].map(([element, part]) => {
    const fields = fieldsOf(part.value, part.place, types)
    const isDeclared = element.startsWith('f:') && part.place.field !== undefined
    const isEmpty = isObject(part.value) && Object.keys(part.value).length === 0
    return [element, isDeclared && !isEmpty ? fields : new FieldSet(true, fields.children)] as const
  })
  return FieldSet.of(false, parts)
}

export interface Comparison {
  /** Fields that are new or have another value. */
  changed: FieldSet
  removed: FieldSet
}

const same: Comparison = { changed: FieldSet.empty, removed: FieldSet.empty }

export function compare(before: unknown, after: unknown, place: Place, types: TypeSource): Comparison {
  // One that is not there has no equal: nearly all that a create compares.
  if (before !== undefined && after !== undefined && sameJson(before, after)) return same
  const [was, is] = [structureOf(before, place, types), structureOf(after, place, types)]
  if (before !== undefined && after !== undefined && (was === 'leaf' || is === 'leaf' || was !== is)) {
    return { changed: leaf, removed: FieldSet.empty }
  }
  const old = was === 'leaf' ? new Map<string, never>() : partsOf(before, place, types)
  const now = is === 'leaf' ? new Map<string, never>() : partsOf(after, place, types)
  const changed: [string, FieldSet][] = []
  const removed: [string, FieldSet][] = []
  for (const element of new Set([...old.keys(), ...now.keys()])) {
    const part = now.get(element) ?? old.get(element)
    const inner = compare(old.get(element)?.value, now.get(element)?.value, part?.place ?? { type: undefined }, types)
    changed.push([element, inner.changed])
    removed.push([element, inner.removed])
  }
  const added = before === undefined && !isAlwaysThere(place)
  return { changed: FieldSet.of(added, changed), removed: FieldSet.of(after === undefined, removed) }
}

/** A struct that Go holds by value exists even when it is empty, so nobody adds it. */
function isAlwaysThere({ field }: Place): boolean {
  return field?.type.kind === 'object' && !field.isPointer
}
