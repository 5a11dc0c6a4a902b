/**
 * A request as those outside see it: what webhooks are sent in an AdmissionReview, and what expressions know as
 * `request`, `object` and `oldObject`, in the version that they asked for.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { AdmissionRequest, GroupVersionKind } from '../registry/admission.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { inVersionOf, type Resources } from '../registry/resources.ts'
import { namespaceOf } from './match/selectors.ts'

/**
 * The versions that what the request is about can be shown in: its own and those it can be converted to at once. (One
 * that only a webhook converts to is not among them.)
 */
export function versionsOf({ definition }: AdmissionRequest, resources: Resources): ResourceDefinition[] {
  const { group, plural } = definition.storage
  return resources
    .all()
    .filter(
      (one) =>
        one.storage.group === group &&
        one.storage.plural === plural &&
        (one === definition || one.storage.convert !== undefined),
    )
}

export interface VersionedObjects {
  object: KubernetesObject | null
  oldObject: KubernetesObject | null
}

/** The objects in another version, to be looked at only. */
export function objectsIn(version: ResourceDefinition, { object, previous, kind }: AdmissionRequest): VersionedObjects {
  const converted = (one: KubernetesObject | undefined) => (one && !kind ? inVersionOf(version, one) : (one ?? null))
  return { object: converted(object), oldObject: converted(previous) }
}

/** An AdmissionRequest of admission.k8s.io/v1 without its uid and objects; also what `request` is in expressions. */
export function describeRequest(request: AdmissionRequest, version: ResourceDefinition): Record<string, unknown> {
  const { subresource, operation, context, name } = request
  const requested = request.requested ?? request.definition
  const { user } = context
  const namespace = namespaceOf(request)
  return {
    kind: kindOf(request, version),
    resource: resourceOf(version),
    ...(subresource !== undefined ? { subResource: subresource } : {}),
    requestKind: kindOf(request, requested),
    requestResource: resourceOf(requested),
    ...(subresource !== undefined ? { requestSubResource: subresource } : {}),
    ...(name !== '' ? { name } : {}),
    ...(namespace !== undefined ? { namespace } : {}),
    operation,
    userInfo: {
      username: user.username,
      ...(user.uid ? { uid: user.uid } : {}),
      ...(user.groups.length > 0 ? { groups: user.groups } : {}),
      ...(user.extra ? { extra: user.extra } : {}),
    },
    dryRun: context.dryRun,
    options: optionsOf(request),
  }
}

function kindOf({ kind }: AdmissionRequest, version: ResourceDefinition): GroupVersionKind {
  return kind ?? { group: version.group, version: version.version, kind: version.kind }
}

function resourceOf({ group, version, plural }: ResourceDefinition): Record<string, string> {
  return { group, version, resource: plural }
}

const optionKinds = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' }

/** CONNECT has none: what it is asked with is its object. */
function optionsOf({ operation, context, options }: AdmissionRequest): object | null {
  if (operation === 'CONNECT') return null
  const { dryRun, fieldManager } = context
  return {
    kind: optionKinds[operation],
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun ? { dryRun: ['All'] } : {}),
    ...(fieldManager !== undefined && operation !== 'DELETE' ? { fieldManager } : {}),
    ...options,
  }
}

/** Objects on the wire say what they are, also those that were put together here. */
export function named(object: KubernetesObject, version: ResourceDefinition): KubernetesObject {
  return object.kind ? object : { ...object, apiVersion: apiVersionOf(version), kind: version.kind }
}
