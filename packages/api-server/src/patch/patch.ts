/**
 * A PATCH request: which of the three patch languages it speaks, and what it makes of the object.
 *
 * The result is raw: decodeObject() must check and normalize it before it is stored. Server-side apply is a fourth
 * language that needs to know who speaks; it lives in apply.ts.
 */

import { badRequest, unsupportedMediaType } from '@dinghy/shared/api/errors'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { isObject, type JsonObject, requireShallow } from '../shape/json.ts'
import { applyJsonPatch } from './json-patch.ts'
import { mergePatch } from './merge.ts'
import { strategicMergePatch } from './strategic.ts'

export const jsonPatch = 'application/json-patch+json'
export const mergePatchType = 'application/merge-patch+json'
export const strategicMergePatchType = 'application/strategic-merge-patch+json'
export const applyPatchType = 'application/apply-patch+yaml'

/** What the types of Go can be patched with. */
export const allPatchTypes: readonly string[] = [jsonPatch, mergePatchType, strategicMergePatchType, applyPatchType]

export interface PatchRequest {
  contentType: string | undefined
  patch: Buffer
  original: object
  /** The schema type of the object, which tells strategic merge patch how its lists merge. */
  type: string
  types: TypeSource
  /** The languages that may be spoken; all, unless told. */
  accepts?: readonly string[]
}

export function applyPatch(request: PatchRequest): JsonObject {
  const patched = patchedValue(request)
  if (!isObject(patched)) throw badRequest('the patch leaves no object')
  try {
    requireShallow(patched)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw badRequest(`the patch makes an object that ${error.message}`)
  }
  return patched
}

function patchedValue({ contentType, patch, original, type, types, accepts = allPatchTypes }: PatchRequest): unknown {
  const mediaType = mediaTypeOf(contentType)
  if (!accepts.includes(mediaType)) throw unsupportedMediaType(accepts)
  switch (mediaType) {
    case jsonPatch:
      return applyJsonPatch(original, parse(patch))
    case mergePatchType:
      return mergePatch(original, parse(patch))
    case strategicMergePatchType:
      return strategicMergePatch(original, parse(patch), type, types)
    default:
      throw unsupportedMediaType(accepts)
  }
}

export function mediaTypeOf(contentType: string | undefined): string {
  return contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
}

function parse(patch: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(patch.toString())
    requireShallow(value)
    return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw badRequest(`error decoding patch: ${error.message}`)
  }
}
