/**
 * Who wrote which field: keeps metadata.managedFields true to every write, whatever way it came.
 *
 * Server-side apply has settled ownership by the time its object gets here (patch/apply.ts); any other write owns what
 * it changed. Defaults count as the writer's doing; what admission and the kind's own rules put in later is nobody's,
 * so that a client which takes its fields over, and then sends them alone, does not take those away.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { apiVersionOf } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import { ownersAfterUpdate, readOwners, writeOwners, type Owner } from '../patch/managed-fields.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import type { WriteContext } from './write-context.ts'

/** Upstream's limit for the name of a manager. */
const maxName = 128

export function managerName({ fieldManager, actor }: WriteContext): string {
  return (fieldManager ?? actor.split('/')[0] ?? '').slice(0, maxName)
}

/** Call when `next` has its defaults, and before admission. `previous` is undefined on creation. */
export function recordOwners(
  definition: ResourceDefinition,
  next: KubernetesObject,
  previous: KubernetesObject | undefined,
  subresource: string | undefined,
  context: WriteContext,
  nowMs: number,
): void {
  if (context.isApply) return
  const { type, types } = definition
  const manager = {
    name: managerName(context),
    operation: 'Update' as const,
    apiVersion: apiVersionOf(definition),
    // A Scale is a view of the object's own spec, but upstream names it all the same.
    subresource,
  }
  const owners = writeOwners(
    ownersOf(() => ownersAfterUpdate(previous, next, manager, rfc3339(nowMs), type, types), next),
  )
  if (owners.length > 0) next.metadata.managedFields = owners
  else delete next.metadata.managedFields
}

/**
 * A list whose items lack the key that tells them apart is no reason to refuse a write, as it is to refuse an apply:
 * who owned what before owns it still. Upstream does the same.
 */
function ownersOf(compute: () => Owner[], next: KubernetesObject): Owner[] {
  try {
    return compute()
  } catch (error) {
    if (hasReason(error, 'BadRequest')) return readOwners(next.metadata.managedFields)
    throw error
  }
}
