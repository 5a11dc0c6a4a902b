/**
 * Strategic merge patch: Kubernetes' own. Objects merge as in a JSON merge patch; lists of objects merge item by item,
 * matched by the key that the schema names, and directives say what plain values cannot:
 *
 *   $patch: replace | delete     on an object: take it as it is, or empty it; on a list item: replace the list, or
 *                                delete the item with this key
 *   $retainKeys: [a, b]          keep only these fields (and those of the patch are among them): clears old unions
 *   $deleteFromPrimitiveList/f   remove these values from list f
 *   $setElementOrder/f           after merging, the items of list f that are named here stand in this order
 *
 * Which lists merge, and by which key, comes from the schema; lists it does not know are replaced. Follows
 * k8s.io/apimachinery/pkg/util/strategicpatch, also in where new items land: before those only the server has.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import type { FieldShape, TypeRef, TypeSource } from '@dinghy/shared/schema/type-shape'
import { isObject, type JsonObject } from '../shape/json.ts'
import { orderLike, type Identity } from './element-order.ts'

const patchDirective = '$patch'
const retainKeysDirective = '$retainKeys'
const deleteFrom = '$deleteFromPrimitiveList/'
const setOrder = '$setElementOrder/'

/** Neither argument is changed; the result may share parts with both. */
export function strategicMergePatch(original: object, patch: unknown, typeName: string, types: TypeSource): JsonObject {
  if (!isObject(patch)) throw badRequest('invalid JSON document')
  return mergeObject({ ...original }, patch, { kind: 'object', type: typeName }, types)
}

function mergeObject(
  original: JsonObject,
  patch: JsonObject,
  type: TypeRef | undefined,
  types: TypeSource,
): JsonObject {
  if (patch[patchDirective] === 'replace') return withoutDirectives(patch) as JsonObject
  if (patch[patchDirective] === 'delete') return {}
  if (patch[patchDirective] !== undefined && patch[patchDirective] !== 'merge') {
    throw badRequest(`unknown patch type: ${JSON.stringify(patch[patchDirective])} in map: ${JSON.stringify(patch)}`)
  }

  const merged = new Map(Object.entries(original))
  retainKeys(merged, patch)
  for (const [key, value] of Object.entries(patch)) {
    if (key === patchDirective || key === retainKeysDirective || key.startsWith(setOrder)) continue
    if (key.startsWith(deleteFrom)) {
      deleteFromList(merged, key.slice(deleteFrom.length), value)
      continue
    }
    const field = fieldOf(type, key, types)
    if (value === null) merged.delete(key)
    else merged.set(key, mergeValue(merged.get(key), value, field, types))
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(setOrder))
      setElementOrder(merged, original, patch, key.slice(setOrder.length), value, type, types)
  }
  return Object.fromEntries(merged)
}

/** What the schema says of one entry of an object: a field of a type, or a value of a map. */
interface Place {
  type: TypeRef
  field?: FieldShape
}

function fieldOf(type: TypeRef | undefined, key: string, types: TypeSource): Place | undefined {
  if (type?.kind === 'map') return { type: type.of }
  if (type?.kind !== 'object') return undefined
  const field = types.type(type.type)?.fields.get(key)
  return field && { type: field.type, field }
}

function mergeValue(original: unknown, patch: unknown, place: Place | undefined, types: TypeSource): unknown {
  if (isObject(patch)) {
    if (!isObject(original) || place?.field?.patchReplace) return withoutDirectives(patch)
    return mergeObject(original, patch, place?.type, types)
  }
  if (Array.isArray(patch)) {
    const merges = place?.field?.patchMerge ?? false
    if (!Array.isArray(original) || !merges) return withoutDirectives(patch)
    return mergeList(original, patch, place, types)
  }
  return patch
}

// ---- lists

function mergeList(original: unknown[], patch: unknown[], place: Place | undefined, types: TypeSource): unknown[] {
  if (original.length === 0 && patch.length === 0) return original
  const isOfObjects = isObject(original[0] ?? patch[0])
  if (!isOfObjects) {
    const merged = [...new Set([...original, ...patch])]
    return orderLike(merged, patch, original, (item) => item)
  }
  const mergeKey = place?.field?.patchMergeKey
  if (mergeKey === undefined) throw badRequest(`cannot merge lists without merge key for ${place?.field?.name}`)
  return mergeObjects(original, patch, mergeKey, itemType(place), types)
}

function mergeObjects(
  original: unknown[],
  patch: unknown[],
  mergeKey: string,
  type: TypeRef | undefined,
  types: TypeSource,
): unknown[] {
  const keyOf = keyBy(mergeKey)
  const { items, deleted, replaces } = readDirectives(patch, keyOf)
  if (replaces) return items
  const merged = original.filter((item) => !deleted.has(keyOf(item)))
  for (const item of items) {
    const key = keyOf(item)
    const at = merged.findIndex((candidate) => keyOf(candidate) === key)
    if (at === -1) merged.push(withoutDirectives(item))
    else merged[at] = mergeObject(merged[at] as JsonObject, item, type, types)
  }
  return orderLike(merged, items, original, keyOf)
}

/** Splits a patch list into its real items and what its directives say. */
function readDirectives(
  patch: unknown[],
  keyOf: Identity,
): { items: JsonObject[]; deleted: Set<unknown>; replaces: boolean } {
  const items: JsonObject[] = []
  const deleted = new Set<unknown>()
  let replaces = false
  for (const item of patch) {
    if (!isObject(item)) throw badRequest('invalid JSON document: a list of objects holds something else')
    switch (item[patchDirective]) {
      case undefined:
        items.push(item)
        break
      case 'delete':
        deleted.add(keyOf(item))
        break
      case 'replace':
        replaces = true
        break
      case 'merge':
        throw badRequest('merging lists cannot yet be specified in the patch')
      default:
        throw badRequest(`unknown patch type: ${JSON.stringify(item[patchDirective])} in map: ${JSON.stringify(item)}`)
    }
  }
  return { items, deleted, replaces }
}

function keyBy(mergeKey: string): Identity {
  return (item) => {
    const key = isObject(item) ? item[mergeKey] : undefined
    if (key === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
    }
    return key
  }
}

function itemType(place: Place | undefined): TypeRef | undefined {
  return place?.type.kind === 'list' ? place.type.of : undefined
}

// ---- directives beside a field

function retainKeys(merged: Map<string, unknown>, patch: JsonObject): void {
  const keys = patch[retainKeysDirective]
  if (keys === undefined) return
  const kept = new Set<unknown>(Array.isArray(keys) ? keys : undefined)
  const set = Object.entries(patch).filter(([key, value]) => !key.startsWith('$') && value !== null)
  if (!Array.isArray(keys) || set.some(([key]) => !kept.has(key))) {
    throw badRequest('invalid patch format of retainKeys directive')
  }
  for (const key of merged.keys()) if (!kept.has(key)) merged.delete(key)
}

function deleteFromList(merged: Map<string, unknown>, key: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest('invalid patch format of primitive list')
  const list = merged.get(key)
  if (Array.isArray(list))
    merged.set(
      key,
      list.filter((item) => !values.includes(item)),
    )
}

function setElementOrder(
  merged: Map<string, unknown>,
  original: JsonObject,
  patch: JsonObject,
  key: string,
  order: unknown,
  type: TypeRef | undefined,
  types: TypeSource,
): void {
  const list = merged.get(key)
  if (!Array.isArray(order)) throw badRequest('invalid patch format of setElementOrder list')
  if (!Array.isArray(list)) return
  const mergeKey = fieldOf(type, key, types)?.field?.patchMergeKey
  const identity: Identity = mergeKey === undefined ? (item) => item : keyBy(mergeKey)
  requireInOrder(patch[key], order, identity)
  merged.set(key, orderLike(list, order, Array.isArray(original[key]) ? original[key] : [], identity))
}

/** Items of the patch must be named in the order list, and in that order; deleted ones need not be. */
function requireInOrder(patch: unknown, order: unknown[], identity: Identity): void {
  if (!Array.isArray(patch)) return
  const names = order.map(identity)
  let last = -1
  for (const item of patch) {
    if (isObject(item) && item[patchDirective] !== undefined) continue
    const at = names.indexOf(identity(item))
    if (at === -1 || at < last) {
      const shown = `${JSON.stringify(patch)} doesn't match the order of $setElementOrder list: ${JSON.stringify(order)}`
      throw badRequest(`The order in patch list:\n${shown}\n`)
    }
    last = at
  }
}

/**
 * A value the original has nothing to merge with: taken as it is, but directives are no data, and null means absent.
 */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !isObject(item) || item[patchDirective] === undefined).map(withoutDirectives)
  }
  if (!isObject(value)) return value
  const entries = Object.entries(value).filter(([key, item]) => !isDirective(key) && item !== null)
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutDirectives(item)]))
}

function isDirective(key: string): boolean {
  return key === patchDirective || key === retainKeysDirective || key.startsWith(deleteFrom) || key.startsWith(setOrder)
}
