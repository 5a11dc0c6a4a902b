/**
 * metadata.managedFields: who owns which field, by having applied it or by having been the last to change it.
 */

import type { KubernetesObject, ManagedFieldsEntry } from '@dinghy/shared/api/types'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { isObject } from '../shape/json.ts'
import { fieldElement, FieldSet, leaf } from './field-set.ts'
import { compare, type Place } from './field-structure.ts'

export interface Manager {
  /** --field-manager, or the first part of the client's User-Agent. */
  name: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  subresource?: string | undefined
}

export interface Owner extends Manager {
  time?: string | undefined
  fields: FieldSet
}

export function readOwners(managedFields: readonly ManagedFieldsEntry[] | undefined): Owner[] {
  return (managedFields ?? []).flatMap(
    ({ manager: name = '', operation, apiVersion = '', subresource, time, fieldsV1 }) => {
      const fields = FieldSet.fromFieldsV1(fieldsV1)
      if (fields.isEmpty || (operation !== 'Apply' && operation !== 'Update')) return []
      return [{ name, operation, apiVersion, time, fields, ...(subresource ? { subresource } : {}) }]
    },
  )
}

/** In upstream's order: appliers first, then by time. Owners of nothing are left out. */
export function writeOwners(owners: readonly Owner[]): ManagedFieldsEntry[] {
  return owners
    .filter(({ fields }) => !fields.isEmpty)
    .toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .map(({ name, operation, apiVersion, time, subresource, fields }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time !== undefined ? { time } : {}),
      fieldsType: 'FieldsV1',
      fieldsV1: fields.toFieldsV1(),
      ...(subresource ? { subresource } : {}),
    }))
}

function rank({ operation, time = '', name, subresource = '' }: Owner): string {
  return `${operation} ${time} ${name} ${subresource}`
}

/** Whoever applies is the same in whatever version of the API, so that it can move to another one. */
export function isSameManager(a: Manager, b: Manager): boolean {
  return (
    a.name === b.name &&
    a.operation === b.operation &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion) &&
    (a.subresource ?? '') === (b.subresource ?? '')
  )
}

/** Nobody owns what names the object, or what the server keeps for itself. */
const notOwnedFields = new Set(['apiVersion', 'kind'])
const notOwnedMetadata = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'name',
  'namespace',
  'resourceVersion',
  'selfLink',
  'uid',
])

const notOwned = FieldSet.of(false, [
  ...Array.from(notOwnedFields, (name) => [fieldElement(name), leaf] as const),
  [
    fieldElement('metadata'),
    FieldSet.of(
      false,
      Array.from(notOwnedMetadata, (name) => [fieldElement(name), leaf]),
    ),
  ],
])

export function ownable(fields: FieldSet): FieldSet {
  const rest = fields.without(notOwned)
  return FieldSet.of(rest.isMember, [...rest.children])
}

/** The object without what nobody owns, so that nobody compares it. */
function ownablePart(object: KubernetesObject): object {
  return { ...without(object, notOwnedFields), metadata: without(object.metadata, notOwnedMetadata) }
}

function without(object: object, names: ReadonlySet<string>): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)))
}

/**
 * The owners after an update: the writer owns what it changed, everybody else loses it, and what is gone is nobody's.
 * `previous` is undefined on creation.
 */
export function ownersAfterUpdate(
  previous: KubernetesObject | undefined,
  next: KubernetesObject,
  manager: Manager,
  time: string,
  type: string,
  types: TypeSource,
): Owner[] {
  const root: Place = { type: { kind: 'object', type } }
  const { changed: taken, removed: gone } = compare(
    previous ? ownablePart(previous) : {},
    ownablePart(next),
    root,
    types,
  )
  const before = readOwners(claimedOwners(previous, next))
  const others = before.filter((owner) => !isSameManager(owner, manager))
  const self = before.find((owner) => isSameManager(owner, manager))
  const mine = self?.fields ?? FieldSet.empty
  const owns = mine.union(taken).without(gone)
  return [
    ...others.map((owner) => ({ ...owner, fields: owner.fields.without(gone).difference(taken) })),
    { ...manager, fields: owns, time: self && owns.equals(mine) ? self.time : time },
  ]
}

/**
 * A client may rewrite ownership – that is how client-side apply hands over to server-side apply – but one that merely
 * leaves managedFields out does not mean to. `[{}]` clears it.
 */
function claimedOwners(
  previous: KubernetesObject | undefined,
  next: KubernetesObject,
): readonly ManagedFieldsEntry[] | undefined {
  const sent = next.metadata.managedFields
  const clears = sent?.length === 1 && isObject(sent[0]) && Object.keys(sent[0]).length === 0
  return sent?.length || clears ? sent : previous?.metadata.managedFields
}
