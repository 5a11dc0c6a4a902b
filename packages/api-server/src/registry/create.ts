/**
 * Create: default → mutating admission → server's metadata → name → prepare → reserve → validate → validating
 * admission → storage. Each stage may refuse by throwing.
 */

import { alreadyExists, generateNameConflict } from '@dinghy/shared/api/errors'
import { generateName } from '@dinghy/shared/api/names'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { AdmissionRequest } from './admission.ts'
import { fillAlwaysWritten } from '../shape/fill.ts'
import type { Entry } from '../storage/storage.ts'
import { insert } from './compare-and-swap.ts'
import { applyScope, fillForCreate, sentMetadata } from './object-meta.ts'
import { objectKey } from './object-key.ts'
import { recordOwners } from './ownership.ts'
import type { ResourceDefinition } from './resource-definition.ts'
import { defaultAndConvert } from './resources.ts'
import type { StoreParts } from './store-parts.ts'
import { requireValidCreate } from './validation.ts'
import type { WriteContext } from './write-context.ts'

/** As many names as upstream tries before it gives up. */
const generateNameAttempts = 8

/** Returns the stored entry; on a dry run, the one that would have been stored. */
export async function createObject(
  parts: StoreParts,
  requested: ResourceDefinition,
  namespace: string | undefined,
  sent: KubernetesObject,
  context: WriteContext,
): Promise<Entry> {
  applyScope(requested, sent, { namespace })
  const definition = parts.resources.stored(requested)
  const converted = defaultAndConvert(requested, definition, sent)
  if (definition.subresources.status) delete (converted as { status?: unknown }).status
  recordOwners(definition, converted, undefined, undefined, context, parts.clock.now())
  const request: AdmissionRequest = {
    operation: 'CREATE',
    definition,
    requested,
    subresource: undefined,
    namespace,
    name: sentMetadata(converted).name ?? '',
    object: converted,
    previous: undefined,
    context,
  }
  await parts.admission.admit(request)
  // A webhook puts another object in the place of what was sent.
  const object = request.object ?? converted
  applyScope(definition, object, { namespace })
  const metadata = sentMetadata(object)
  if (definition.strategy.load) await definition.strategy.load(object)
  fillForCreate(definition, object, parts.clock.now())
  if (definition.subresources.status) delete (object as { status?: unknown }).status
  const stem = metadata.name ? undefined : metadata.generateName
  // As in Go, what has no name has an empty one: the rules of a kind may go by it before its absence is refused.
  metadata.name ??= ''
  const prepare = () => {
    if (stem) metadata.name = generateName(stem)
    definition.strategy.prepareForCreate?.(object) // a Job writes its own name into its template
    fillAlwaysWritten(object, definition.type, definition.types)
  }
  prepare()

  const release = parts.reservations.reserve(definition, object)
  try {
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) prepare()
      requireValidCreate(definition, object, context)
      request.name = metadata.name ?? ''
      const settle = await parts.admission.validate(request)
      const key = objectKey(definition.storage, namespace, object.metadata.name)
      const entry = await insertEncoded(parts, definition, key, object, context).finally(settle)
      if (entry) return entry
      const { group, plural } = definition
      if (!stem) throw alreadyExists(group, plural, object.metadata.name)
      if (attempt === generateNameAttempts) throw generateNameConflict(group, plural, object.metadata.name)
    }
  } finally {
    release()
  }
}

async function insertEncoded(
  { storage }: StoreParts,
  { storage: { encode } }: ResourceDefinition,
  key: string,
  object: KubernetesObject,
  context: WriteContext,
): Promise<Entry | undefined> {
  return insert(storage, key, encode ? await encode(object) : object, context)
}
