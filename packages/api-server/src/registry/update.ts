/**
 * Update, in all its forms: PUT, PATCH, /status, /scale, and every other subresource that changes the object.
 *
 * A `change` makes the next state from the present one. If somebody else writes in between, it is made again from the
 * new present: upstream's GuaranteedUpdate. Only a client that pinned a resourceVersion is told of a conflict. A change
 * that changes nothing is not written. If the object is being deleted and its last finalizer goes, so does the object.
 */

import { conflict, invalid, notFound } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { AdmissionRequest } from './admission.ts'
import type { Entry } from '../storage/storage.ts'
import { replace } from './compare-and-swap.ts'
import { createObject } from './create.ts'
import { isReadyToGo } from './deletion-plan.ts'
import { applyScope, bumpGeneration, carryOver, sentMetadata } from './object-meta.ts'
import { objectKey } from './object-key.ts'
import { recordOwners } from './ownership.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { copyOf, defaultAndConvert, objectOf, prepare } from './resources.ts'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { ObjectRef, StoreParts } from './store-parts.ts'
import { rulesFor } from './subresource-rules.ts'
import { requireValidUpdate } from './validation.ts'
import type { WriteContext } from './write-context.ts'

/** Makes the next state. `current` belongs to the callee, in the version of the definition. */
export type Change = (current: KubernetesObject) => KubernetesObject | Promise<KubernetesObject>

export interface UpdateOptions {
  subresource?: string | undefined
  /** Makes the object that does not exist yet (PUT of some kinds, server-side apply). */
  createIfMissing?: (() => KubernetesObject) | undefined
  /** The change makes its object without a look at the present one, of which no copy is made for it. */
  isReplacement?: boolean | undefined
}

const attempts = 10
const modified = 'the object has been modified; please apply your changes to the latest version and try again'

export async function updateObject(
  parts: StoreParts,
  requested: ResourceDefinition,
  ref: ObjectRef,
  change: Change,
  context: WriteContext,
  options: UpdateOptions = {},
): Promise<{ entry: Entry; created: boolean }> {
  const { group, plural } = requested
  const key = objectKey(requested.storage, ref.namespace, ref.name)
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const current = parts.storage.get(key)
    if (!current) {
      if (!options.createIfMissing) throw notFound(group, plural, ref.name)
      const object = options.createIfMissing()
      applyScope(requested, object, ref)
      return { entry: await createObject(parts, requested, ref.namespace, object, context), created: true }
    }
    const entry = await attemptUpdate(parts, requested, ref, current, change, context, options)
    if (entry) return { entry, created: false }
  }
  throw conflict(group, plural, ref.name, modified)
}

/** Undefined if somebody else wrote first. */
async function attemptUpdate(
  parts: StoreParts,
  requested: ResourceDefinition,
  ref: ObjectRef,
  current: Entry,
  change: Change,
  context: WriteContext,
  { subresource, isReplacement }: UpdateOptions,
): Promise<Entry | undefined> {
  const definition = parts.resources.stored(requested)
  await prepare(requested, [current])
  const previous = objectOf(definition, current)
  const sent = await change(isReplacement ? objectOf(requested, current) : copyOf(requested, current))
  applyScope(requested, sent, ref)
  requireSameRevision(requested, sent, current)
  const rules = rulesFor(definition, subresource)
  const selected = rules.select(defaultAndConvert(requested, definition, sent), previous)
  recordOwners(definition, selected, previous, subresource, context, parts.clock.now())
  const request: AdmissionRequest = {
    operation: 'UPDATE',
    definition,
    requested,
    subresource,
    namespace: ref.namespace,
    name: ref.name,
    object: selected,
    previous,
    context,
  }
  await parts.admission.admit(request)
  // A webhook puts another object in the place of what was sent, and may not change more than the client.
  const admitted = request.object ?? selected
  if (admitted !== selected) applyScope(definition, admitted, ref)
  const next = admitted === selected ? selected : rules.select(admitted, previous)
  request.object = next
  if (definition.strategy.load) await definition.strategy.load(next)
  carryOver(definition, next, previous)
  rules.prepare(next, previous, rfc3339(parts.clock.now()))
  const release = parts.reservations.reserve(definition, next, previous)
  try {
    if (rules.isAuthored) bumpGeneration(definition, next, previous)
    requireValidUpdate(definition, rules, next, previous, context)
    next.metadata.resourceVersion = previous.metadata.resourceVersion
    const deleted = isReadyToGo(next, previous)
    const settle = await parts.admission.validate(request)
    try {
      const stored = definition.storage.encode ? await definition.storage.encode(next) : next
      if (!deleted && sameJson(stored, current.object)) return current
      return await replace(parts.storage, current, stored, deleted, context)
    } finally {
      settle()
    }
  } finally {
    release()
  }
}

/** A client that sends the resourceVersion it has seen must have seen the present one. */
function requireSameRevision(definition: ResourceDefinition, sent: KubernetesObject, current: Entry): void {
  const { group, plural, kind, strategy } = definition
  const seen = sentMetadata(sent).resourceVersion
  if (!seen || seen === '0') {
    if (!strategy.requiresResourceVersion) return
    const problem = fieldErrors.invalid('metadata.resourceVersion', 0, 'must be specified for an update')
    throw invalid(group, kind, sent.metadata.name, [problem])
  }
  if (seen !== String(current.revision)) throw conflict(group, plural, sent.metadata.name, modified)
}
