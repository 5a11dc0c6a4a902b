/**
 * Delete: deletion-plan.ts decides, this file checks the preconditions and writes.
 */

import { conflict, hasReason, notFound } from '@dinghy/shared/api/errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Entry } from '../storage/storage.ts'
import type { AdmissionRequest } from './admission.ts'
import { replace } from './compare-and-swap.ts'
import type { DeleteOptions } from './deletion-plan.ts'
import { planDeletion } from './deletion-plan.ts'
import { listPage } from './list.ts'
import type { ListRequest } from './list-request.ts'
import { objectKey } from './object-key.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { objectOf, prepare } from './resources.ts'
import type { ObjectRef, StoreParts } from './store-parts.ts'
import type { WriteContext } from './write-context.ts'

const attempts = 10

/** The object as the delete left it: `removed`, or still there and marked. */
export async function deleteObject(
  parts: StoreParts,
  requested: ResourceDefinition,
  ref: ObjectRef,
  options: DeleteOptions,
  context: WriteContext,
): Promise<{ entry: Entry; removed: boolean }> {
  const { group, plural } = requested
  const key = objectKey(requested.storage, ref.namespace, ref.name)
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const current = parts.storage.get(key)
    if (!current) throw notFound(group, plural, ref.name)
    requirePreconditions(requested, current.object, options)
    const outcome = await attemptDelete(parts, requested, ref, current, options, context)
    if (outcome) return outcome
  }
  const message = 'the object has been modified; please apply your changes to the latest version and try again'
  throw conflict(group, plural, ref.name, message)
}

/** Undefined if somebody else wrote first. */
async function attemptDelete(
  parts: StoreParts,
  requested: ResourceDefinition,
  ref: ObjectRef,
  current: Entry,
  options: DeleteOptions,
  context: WriteContext,
): Promise<{ entry: Entry; removed: boolean } | undefined> {
  const definition = parts.resources.stored(requested)
  await prepare(definition, [current])
  const plan = planDeletion(definition, current.copy(), options, parts.clock.now())
  const request: AdmissionRequest = {
    operation: 'DELETE',
    definition,
    requested,
    subresource: undefined,
    namespace: ref.namespace,
    name: ref.name,
    object: undefined,
    previous: objectOf(definition, current),
    options: shownOptions(options),
    context,
  }
  await parts.admission.admit(request)
  const settle = await parts.admission.validate(request)
  try {
    if (plan.action === 'wait') {
      requireNamespaceNotTerminating(requested, ref.name)
      return { entry: current, removed: false }
    }
    const removed = plan.action === 'remove'
    const last = removed ? current.copy() : plan.object
    const entry = await replace(parts.storage, current, last, removed, context)
    return entry && { entry, removed }
  } finally {
    settle()
  }
}

/** As DeleteOptions have them, for those who are asked. */
function shownOptions({
  gracePeriodSeconds,
  propagationPolicy,
  orphanDependents,
  preconditions,
}: DeleteOptions): object {
  return {
    ...(gracePeriodSeconds !== undefined ? { gracePeriodSeconds } : {}),
    ...(preconditions ? { preconditions } : {}),
    ...(orphanDependents !== undefined ? { orphanDependents } : {}),
    ...(propagationPolicy !== undefined ? { propagationPolicy } : {}),
  }
}

/** Deletes what a list would show. The entries are those of the list. */
export async function deleteCollection(
  parts: StoreParts,
  definition: ResourceDefinition,
  request: ListRequest,
  options: DeleteOptions,
  context: WriteContext,
): Promise<Entry[]> {
  const { entries } = await listPage(parts, definition, request)
  const deletions = entries.map(async (entry) => {
    const { namespace, name } = entry.object.metadata
    await deleteObject(parts, definition, { namespace, name }, options, context)
  })
  for (const outcome of await Promise.allSettled(deletions)) {
    if (outcome.status === 'rejected' && !hasReason(outcome.reason, 'NotFound')) throw outcome.reason
  }
  return entries
}

function requirePreconditions(
  { group, plural }: ResourceDefinition,
  { metadata }: KubernetesObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {}
  const failed = (field: string, wanted: string, actual: string) =>
    conflict(
      group,
      plural,
      metadata.name,
      `Precondition failed: ${field} in precondition: ${wanted}, ${field} in object meta: ${actual}`,
    )
  if (uid !== undefined && uid !== metadata.uid) throw failed('UID', uid, metadata.uid)
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw failed('ResourceVersion', resourceVersion, metadata.resourceVersion)
  }
}

/** Asking twice for a namespace to go is refused, so that nobody waits for what is already happening. */
function requireNamespaceNotTerminating({ group, plural }: ResourceDefinition, name: string): void {
  if (group !== '' || plural !== 'namespaces') return
  const message =
    'The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.'
  throw conflict(group, plural, name, message)
}
