/**
 * create, update, patch, delete: from the bytes of a request to the store and back.
 */

import { invalid, success } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { applyPatch } from '../patch/patch.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { prepare } from '../registry/resources.ts'
import type { Change, UpdateOptions } from '../registry/update.ts'
import type { WriteContext } from '../registry/write-context.ts'
import type { Entry } from '../storage/storage.ts'
import { applyChange, isApply, requireValidPatchOptions } from './apply-patch.ts'
import type { DecodeTarget, FieldValidation } from './decode.ts'
import { decodeObject } from './decode.ts'
import { decodeRequest, requestDecoder } from './decode-request.ts'
import type { Exchange } from './exchange.ts'
import { negotiate } from './negotiation.ts'
import { refOf, scopeOf } from './object-ref.ts'
import { tableOptions } from './read-verbs.ts'
import type { Reply } from './reply.ts'
import { encoded, jsonReply } from './reply.ts'
import { representList, representObject } from './represent.ts'
import { deleteOptions, fieldValidation, isDryRun, listRequest } from './request-options.ts'
import type { Services } from './services.ts'

export async function create(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const context = exchange.writeContext(isDryRun(exchange, 'CreateOptions'))
  const object = await decodeRequest(exchange, definition, 'CreateOptions')
  const entry = await services.store.create(definition, scopeOf(exchange, definition), object, context)
  return shown(exchange, definition, services, entry, 201)
}

export async function update(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const context = exchange.writeContext(isDryRun(exchange, 'UpdateOptions'))
  const decode = await requestDecoder(exchange, definition, 'UpdateOptions')
  // What cannot be decoded is refused before anybody looks for what it is to replace.
  const first = decode()
  let isTaken = false
  const make = () => {
    const object = isTaken ? decode() : first
    isTaken = true
    return object
  }
  const createIfMissing = definition.strategy.allowCreateOnUpdate ? make : undefined
  return change(exchange, definition, services, make, context, { createIfMissing, isReplacement: true })
}

export async function patch(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  requireValidPatchOptions(exchange)
  const context = exchange.writeContext(isDryRun(exchange, 'PatchOptions'))
  const body = await exchange.body()
  const validation = fieldValidation(exchange, 'PatchOptions')
  if (isApply(exchange)) {
    const make = applyChange(exchange, body, definition, validation, context, services.clock.now())
    const createIfMissing = () => make(undefined)
    return change(exchange, definition, services, make, { ...context, isApply: true }, { createIfMissing })
  }
  const patched: Change = (current) => {
    const result = applyPatch({
      contentType: exchange.request.headers['content-type'],
      patch: body,
      original: current,
      type: definition.type,
      types: definition.types,
      accepts: definition.patchTypes,
    })
    return named(definition, conformPatched(exchange, result, definition, validation))
  }
  return change(exchange, definition, services, patched, context)
}

/** A patch can take everything away; what is left must still be an object. */
function named({ group, kind }: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  if (object.metadata.name) return object
  const problem = fieldErrors.required('metadata.name', 'name or generateName is required')
  throw invalid(group, kind, '', [problem])
}

/** What a patch made must be as well-formed as what is sent whole. */
export function conformPatched(
  exchange: Exchange,
  patched: unknown,
  target: DecodeTarget,
  validation: FieldValidation,
): KubernetesObject {
  const { object, warnings } = decodeObject(patched, target, validation)
  exchange.warnings.push(...warnings)
  return object
}

async function change(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
  make: Change,
  context: WriteContext,
  { createIfMissing, isReplacement }: UpdateOptions = {},
): Promise<Reply> {
  const { subresource } = exchange.info
  const creates = subresource === undefined ? createIfMissing : undefined
  const options = { subresource, createIfMissing: creates, isReplacement }
  const { entry, created } = await services.store.update(
    definition,
    refOf(exchange, definition),
    make,
    context,
    options,
  )
  return shown(exchange, definition, services, entry, created ? 201 : 200)
}

export async function remove(exchange: Exchange, definition: ResourceDefinition, services: Services): Promise<Reply> {
  const { options, dryRun } = deleteOptions(exchange, services.types, await exchange.body())
  const context = exchange.writeContext(dryRun)
  const ref = refOf(exchange, definition)
  const { entry, removed } = await services.store.delete(definition, ref, options, context)
  if (!removed || returnsDeleted.has(`${definition.group}/${definition.plural}`)) {
    return shown(exchange, definition, services, entry, 200)
  }
  const { group, plural: kind } = definition
  return jsonReply(success({ name: ref.name, ...(group ? { group } : {}), kind, uid: entry.object.metadata.uid }))
}

/** The kinds that show what was deleted; the others answer with a Status. The list is upstream's, grown by history. */
const returnsDeleted = new Set([
  '/pods',
  '/persistentvolumes',
  '/persistentvolumeclaims',
  '/podtemplates',
  '/resourcequotas',
  '/services',
  '/serviceaccounts',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
])

export async function removeCollection(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
): Promise<Reply> {
  const { options, dryRun } = deleteOptions(exchange, services.types, await exchange.body())
  const format = negotiate(exchange.request.headers.accept)
  const request = listRequest(exchange, definition)
  const entries = await services.store.deleteCollection(definition, request, options, exchange.writeContext(dryRun))
  const page = { revision: services.storage.revision, entries }
  return encoded(format, representList(format, definition, page, tableOptions(exchange, services)))
}

async function shown(
  exchange: Exchange,
  definition: ResourceDefinition,
  services: Services,
  entry: Entry,
  code: number,
): Promise<Reply> {
  await prepare(definition, [entry])
  const format = negotiate(exchange.request.headers.accept)
  return encoded(format, representObject(format, definition, entry, tableOptions(exchange, services)), code)
}
