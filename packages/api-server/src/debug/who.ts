/**
 * "Who set this field?": every write that gave it another value, the newest first, and who owns it now by
 * managedFields.
 *
 * The history knows more than managedFields, which has only the last of those that changed a field and no values.
 */

import { sameJson } from '@dinghy/shared/api/same-json'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { type FieldSet, fieldElement, valueElement } from '../patch/field-set.ts'
import { readOwners } from '../patch/managed-fields.ts'
import { isObject, type JsonObject } from '../shape/json.ts'
import type { Revision, Storage } from '../storage/storage.ts'
import { type Step, stepInto, valueAt } from './field-path.ts'

export interface FieldWrite {
  revision: number
  actor: string
  cause?: number
  /** RFC 3339. */
  at: string
  verb: Revision['verb']
  /** Absent where the field was not there. */
  before?: unknown
  after?: unknown
}

export interface FieldStory {
  /** Of the newest state; absent if the field is not set. */
  value?: unknown
  owners: { manager: string; operation: string; subresource?: string; time?: string }[]
  writes: FieldWrite[]
}

/** Undefined if nothing is known of the key. */
export function whoSet(storage: Storage, key: string, path: Step[]): FieldStory | undefined {
  const history = storage.history(key)
  const [newest] = history
  if (!newest) return undefined
  const isGone = newest.verb === 'delete'
  const value = isGone ? undefined : valueAt(newest.object, path)
  return {
    ...(value === undefined ? {} : { value }),
    owners: isGone ? [] : ownersOf(newest.object, path),
    writes: history.flatMap((revision, i) => fieldWrite(revision, history[i + 1], path)),
  }
}

/** Empty if this revision left the field alone. `older` is the key's revision before it, if that is still known. */
function fieldWrite(revision: Revision, older: Revision | undefined, path: Step[]): FieldWrite[] {
  const { actor, cause, at, verb } = revision
  // What was written before the oldest revision that is known cannot be told.
  if (verb !== 'create' && !older) return []
  const before = verb === 'create' ? undefined : valueAt(older?.object, path)
  const after = verb === 'delete' ? undefined : valueAt(revision.object, path)
  if (sameJson(before, after)) return []
  return [
    {
      revision: revision.revision,
      actor,
      ...(cause === undefined ? {} : { cause }),
      at: new Date(at).toISOString(),
      verb,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ]
}

function ownersOf(object: KubernetesObject, path: Step[]): FieldStory['owners'] {
  return readOwners(object.metadata.managedFields)
    .filter(({ fields }) => owns(fields, object, path))
    .map(({ name, operation, subresource, time }) => ({
      manager: name,
      operation,
      ...(subresource ? { subresource } : {}),
      ...(time === undefined ? {} : { time }),
    }))
}

/** A field is owned as itself, by a part of it, or within something that is owned as a whole. */
function owns(fields: FieldSet, parent: unknown, [step, ...rest]: Step[]): boolean {
  if (!step) return !fields.isEmpty
  if (fields.isMember && fields.children.size === 0) return true
  const value = stepInto(parent, step)
  const child = step.kind === 'field' ? fields.child(fieldElement(step.name)) : itemOf(fields, value)
  return !child.isEmpty && owns(child, value, rest)
}

/** The part of a list's fields that is about this item, which is known by its keys or by its value. */
function itemOf(fields: FieldSet, item: unknown): FieldSet {
  const isItem = (element: string) =>
    element === valueElement(item) ||
    (element.startsWith('k:') && isObject(item) && hasKeys(item, JSON.parse(element.slice(2)) as JsonObject))
  const element = [...fields.children.keys()].find(isItem)
  return fields.child(element ?? '')
}

function hasKeys(item: JsonObject, keys: JsonObject): boolean {
  return Object.entries(keys).every(([key, value]) => item[key] === value)
}
