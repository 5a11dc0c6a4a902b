// JSON patch (RFC 6902): a list of add, remove, replace, move, copy and test operations, all or none.

import { badRequest, requestEntityTooLarge, StatusError } from '@dinghy/shared/api/errors'
import jsonPatch, { type Operation } from 'fast-json-patch'

/** Upstream's limit: a patch can otherwise make an object grow exponentially by copying it into itself. */
const MAX_OPERATIONS = 10_000

/** Does not change the original. A malformed patch is 400, one that does not apply – a failed test, a missing path – 422. */
export function applyJsonPatch(original: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  }
  if (patch.length > MAX_OPERATIONS) {
    const message = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`
    throw requestEntityTooLarge(message)
  }
  try {
    return jsonPatch.applyPatch(structuredClone(original), patch as Operation[], true).newDocument
  } catch (error) {
    if (error instanceof jsonPatch.JsonPatchError || error instanceof TypeError) throw rejected(error)
    throw error
  }
}

/** Upstream does not tell why a patch did not apply; the cause is worth knowing, and details have room for it. */
function rejected(error: Error): StatusError {
  const reason = error.message.split('\n')[0] ?? ''
  return new StatusError(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'the server rejected our request due to an error in our request',
      reason: 'Invalid',
      details: { causes: [{ reason: 'UnexpectedServerResponse', message: reason }] },
      code: 422,
    },
    { cause: error },
  )
}
