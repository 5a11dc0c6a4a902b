/**
 * OwnerReferencesPermissionEnforcement: an owner reference lets the garbage collector delete an object, and can keep an
 * owner from going. So whoever changes the references must be allowed to delete the object, and for a reference that
 * blocks its owner's deletion to update the owner's finalizers. Follows plugin/pkg/admission/gc; off unless asked for
 * (--enable-admission-plugins), as upstream.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { KubernetesObject, OwnerReference } from '@dinghy/shared/api/types'
import type { AccessAttributes, Authorizer } from '../auth/authorize.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'
import type { Resources } from '../registry/resources.ts'

export const ownerReferencesPermissionName = 'OwnerReferencesPermissionEnforcement'

export function ownerReferencesPermission(authorizer: Authorizer, resources: Resources): AdmissionPlugin {
  return {
    name: ownerReferencesPermissionName,
    validate(request) {
      const { definition, operation, subresource, object, previous } = request
      if (operation !== 'CREATE' && operation !== 'UPDATE') return
      // A pod's status cannot change its metadata.
      if (definition.group === '' && definition.plural === 'pods' && subresource === 'status') return
      const [now, before] = [ownersOf(object), ownersOf(previous)]
      if (sameJson(now, before)) return
      requireDelete(request, authorizer)
      for (const owner of now.filter(({ blockOwnerDeletion }) => blockOwnerDeletion)) {
        const known = before.find(({ uid }) => uid === owner.uid)
        if (!known?.blockOwnerDeletion) requireFinalizers(request, owner, authorizer, resources)
      }
    },
  }
}

function ownersOf(object: KubernetesObject | undefined): OwnerReference[] {
  return object?.metadata?.ownerReferences ?? []
}

function requireDelete(request: AdmissionRequest, authorizer: Authorizer): void {
  const { definition, subresource, namespace, operation, name, context } = request
  const { group, version, plural: resource } = definition
  const { allowed, reason } = authorizer({
    user: context.user,
    verb: 'delete',
    group,
    version,
    resource,
    subresource,
    namespace,
    name: operation === 'CREATE' ? undefined : name,
    path: undefined,
  })
  if (!allowed) throw refused(request, `cannot set an ownerRef on a resource you can't delete: ${reason}`)
}

function requireFinalizers(
  request: AdmissionRequest,
  { apiVersion, kind, name }: OwnerReference,
  authorizer: Authorizer,
  resources: Resources,
): void {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  const owner = resources.all().find((one) => one.group === group && one.version === version && one.kind === kind)
  if (!owner) {
    throw refused(
      request,
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}`,
    )
  }
  const attributes: AccessAttributes = {
    user: request.context.user,
    verb: 'update',
    group,
    version,
    resource: owner.plural,
    subresource: 'finalizers',
    namespace: owner.namespaced ? request.namespace : undefined,
    name,
    path: undefined,
  }
  const { allowed, reason } = authorizer(attributes)
  if (allowed) return
  throw refused(
    request,
    `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}`,
  )
}

/** Go prints the error that there was not. */
function refused({ definition: { group, plural }, name }: AdmissionRequest, message: string) {
  return forbidden(group, plural, name, `${message}, <nil>`)
}
