/**
 * Server-side apply: the author sends the fields they care about, and owns them from then on. A field that somebody
 * else owns and the author wants otherwise is a conflict, unless they insist; a field they no longer send is removed,
 * unless somebody else wants it too.
 *
 * Follows structured-merge-diff and k8s.io/apimachinery/pkg/util/managedfields. A field has the same owners in every
 * version of the API; where a conversion renames it, it is another field.
 */

import { applyConflict, badRequest, hasReason, type StatusCause } from '@dinghy/shared/api/errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { mergeApplied, prune } from './apply-merge.ts'
import { FieldSet } from './field-set.ts'
import { compare, fieldsOf, type Place } from './field-structure.ts'
import { isSameManager, ownable, readOwners, writeOwners, type Manager, type Owner } from './managed-fields.ts'

export interface ApplyRequest {
  /** The object as it is; undefined if there is none yet. */
  live: KubernetesObject | undefined
  /** What the author sent, decoded but not defaulted. */
  applied: KubernetesObject
  manager: Omit<Manager, 'operation'>
  force: boolean
  /** Fields this request cannot set, because another path serves them: status on the main resource. */
  ignored?: FieldSet
  time: string
  type: string
  types: TypeSource
}

/** Who owned everything before anybody applied. */
const beforeFirstApply = 'before-first-apply'

/** The object to store, with its managedFields. Throws Conflict with a cause for each field, or BadRequest. */
export function serverSideApply(request: ApplyRequest): KubernetesObject {
  const { live, applied, force, time, type, types } = request
  if (applied.metadata.managedFields?.length) throw badRequest('metadata.managedFields must be nil')
  const manager: Manager = { ...request.manager, operation: 'Apply' }
  const root: Place = { type: { kind: 'object', type } }

  const owners = live ? knownOwners(live, root, types) : []
  const self = owners.find((owner) => isSameManager(owner, manager))
  const others = owners.filter((owner) => owner !== self)
  const wanted = ownable(fieldsOf(applied, root, types)).without(request.ignored ?? FieldSet.empty)

  const merged = mergeApplied(live, applied, root, types)
  const owned = others.reduce((all, { fields }) => all.union(fields), wanted)
  const result = prune(merged, self?.fields ?? FieldSet.empty, owned, root, types) as KubernetesObject

  const { changed, removed } = compare(live ?? {}, result, root, types)
  const yielded = manager.name === kubectl ? lastAppliedFields(live, root, types) : FieldSet.empty
  const conflicts = others.map((owner) => ({ owner, fields: owner.fields.intersection(changed).difference(yielded) }))
  if (!force) requireNoConflict(conflicts.filter(({ fields }) => !fields.isEmpty))

  const after: Owner[] = [
    ...others.map((owner) => ({ ...owner, fields: owner.fields.without(removed).difference(changed) })),
    { ...manager, fields: wanted, time: self?.fields.equals(wanted) ? self.time : time },
  ]
  return { ...result, metadata: { ...result.metadata, managedFields: writeOwners(after) } }
}

const kubectl = 'kubectl'
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * What a client-side `kubectl apply` set and nobody has changed since: an author who goes over to server-side apply has
 * no conflict with their own past. Upstream's lastAppliedManager.
 */
function lastAppliedFields(live: KubernetesObject | undefined, root: Place, types: TypeSource): FieldSet {
  const text = live?.metadata.annotations?.[lastAppliedAnnotation]
  if (text === undefined) return FieldSet.empty
  try {
    const lastApplied: unknown = JSON.parse(text)
    const { changed, removed } = compare(lastApplied, live, root, types)
    return fieldsOf(lastApplied, root, types).difference(changed).difference(removed)
  } catch (error) {
    // Anybody may write an annotation; one that makes no sense yields nothing.
    if (error instanceof SyntaxError || hasReason(error, 'BadRequest')) return FieldSet.empty
    throw error
  }
}

function knownOwners(live: KubernetesObject, root: Place, types: TypeSource): Owner[] {
  const owners = readOwners(live.metadata.managedFields)
  if (owners.length > 0) return owners
  const { apiVersion } = live
  const fields = ownable(fieldsOf(live, root, types))
  return [{ name: beforeFirstApply, operation: 'Update', apiVersion, fields, time: live.metadata.creationTimestamp }]
}

interface Conflict {
  owner: Owner
  fields: FieldSet
}

function requireNoConflict(conflicts: Conflict[]): void {
  const causes = conflicts.flatMap(({ owner, fields }): (StatusCause & { field: string })[] =>
    fields.paths().map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${describe(owner)}`,
      field,
    })),
  )
  const [only, second] = causes
  if (!only) return
  if (!second) throw applyConflict(causes, `Apply failed with 1 conflict: ${only.message}: ${only.field}`)
  const lines = conflicts.flatMap(({ owner, fields }) => [
    `conflicts with ${describe(owner)}:`,
    ...fields.paths().map((path) => `- ${path}`),
  ])
  throw applyConflict(causes, `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`)
}

function describe({ name, operation, apiVersion, subresource, time }: Owner): string {
  const who = subresource
    ? `${JSON.stringify(name)} with subresource ${JSON.stringify(subresource)}`
    : JSON.stringify(name)
  if (operation === 'Apply') return who
  return time === undefined ? `${who} using ${apiVersion}` : `${who} using ${apiVersion} at ${time}`
}
