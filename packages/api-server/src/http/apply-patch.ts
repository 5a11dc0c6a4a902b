/**
 * PATCH with application/apply-patch+yaml: server-side apply, from the bytes of a request to the change it makes.
 */

import { invalid } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import { apiVersionOf } from '@dinghy/shared/api/resources'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { serverSideApply } from '../patch/apply.ts'
import { FieldSet } from '../patch/field-set.ts'
import { applyPatchType, mediaTypeOf } from '../patch/patch.ts'
import { managerName } from '../registry/ownership.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { WriteContext } from '../registry/write-context.ts'
import { decodeBody, type FieldValidation } from './decode.ts'
import type { Exchange } from './exchange.ts'
import { isTrue } from './request-info.ts'

export function isApply({ request }: Exchange): boolean {
  return mediaTypeOf(request.headers['content-type']) === applyPatchType
}

/** `force` is the apply's alone, and an apply must say who applies. */
export function requireValidPatchOptions(exchange: Exchange): void {
  const force = exchange.parameter('force')
  const problems = isApply(exchange)
    ? exchange.parameter('fieldManager')
      ? []
      : [fieldErrors.required('fieldManager', 'is required for apply patch')]
    : force
      ? [fieldErrors.forbidden('force', 'may not be specified for non-apply patch')]
      : []
  if (problems.length > 0) throw invalid('meta.k8s.io', 'PatchOptions', '', problems)
}

export function applyChange(
  exchange: Exchange,
  body: Buffer,
  definition: ResourceDefinition,
  fieldValidation: FieldValidation,
  context: WriteContext,
  nowMs: number,
): (live: KubernetesObject | undefined) => KubernetesObject {
  // YAML includes JSON, but JSON is what kubectl sends, and is read a lot faster.
  const isJson = body.subarray(0, 64).toString().trimStart().startsWith('{')
  const mediaType = isJson ? 'application/json' : 'application/yaml'
  const { object: applied, warnings } = decodeBody(body, mediaType, definition, { fieldValidation })
  exchange.warnings.push(...warnings)
  const { subresource } = exchange.info
  return (live) =>
    serverSideApply({
      live,
      applied: structuredClone(applied),
      manager: { name: managerName(context), apiVersion: apiVersionOf(definition), subresource },
      force: isTrue(exchange.query.get('force')),
      ignored: ignoredFields(definition, subresource),
      time: rfc3339(nowMs),
      type: definition.type,
      types: definition.types,
    })
}

/** Status and all the rest are applied through different paths, and one cannot own what it cannot set. */
function ignoredFields({ subresources }: ResourceDefinition, subresource: string | undefined): FieldSet {
  if (subresource === 'status') return FieldSet.fromFieldsV1({ 'f:spec': {} })
  return subresources.status ? FieldSet.fromFieldsV1({ 'f:status': {} }) : FieldSet.empty
}
