/**
 * Nobody gives away what they do not have: whoever writes a role must hold all of its rules, and whoever binds one must
 * hold the rules of the role, unless they may `escalate` the role or `bind` it. Upstream does this in its registry
 * (pkg/registry/rbac/…/policybased); here it is one more plugin of validating admission, so what is wrong with an
 * object in itself is told first.
 */

import { forbidden, notFound } from '@dinghy/shared/api/errors'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { ClusterRole, ClusterRoleBinding, KubernetesObject, Role, RoleBinding } from '@dinghy/shared/api/types'
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { Authorization } from '../auth/authorization.ts'
import { mayDo, superuserGroup } from '../auth/authorize.ts'
import { compacted, describeRule, quoted, uncovered } from '../auth/rbac/covers.ts'
import { rbacGroup } from '../auth/rbac/policy-line.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'

const everything: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

export function rbacEscalation(authorization: Authorization): AdmissionPlugin {
  return {
    name: 'RBACEscalation',
    validate(request) {
      const { definition, subresource, object, previous, context } = request
      if (definition.group !== rbacGroup || subresource !== undefined || !object) return
      if (context.user.groups.includes(superuserGroup) || isOnlyCollected(object, previous)) return
      if (definition.plural.endsWith('bindings')) validateBinding(request, object as Binding, authorization)
      else validateRole(request, object, authorization)
    },
  }
}

type AnyRole = Role & Pick<ClusterRole, 'aggregationRule'>
type Binding = RoleBinding | ClusterRoleBinding

function validateRole(request: AdmissionRequest, role: AnyRole, authorization: Authorization): void {
  const { definition, namespace, operation, context } = request
  const previous: Partial<AnyRole> = request.previous ?? {}
  const { plural } = definition
  const name = operation === 'UPDATE' ? role.metadata.name : undefined // a create names nothing yet
  const what = { verb: 'escalate', group: rbacGroup, resource: plural, namespace, name }
  if (mayDo(authorization.authorize, context.user, what)) return
  const problem = escalation(request, role.rules ?? [], authorization)
  if (problem) throw forbidden(rbacGroup, plural, role.metadata.name, problem)
  // An aggregated role gathers whatever others make.
  if (!role.aggregationRule && !previous.aggregationRule) return
  if (escalation(request, everything, authorization)) {
    const message = 'must have cluster-admin privileges to use the aggregationRule'
    throw forbidden(rbacGroup, plural, role.metadata.name, message)
  }
}

function validateBinding(request: AdmissionRequest, binding: Binding, authorization: Authorization): void {
  const { namespace, context, definition } = request
  const { roleRef, metadata } = binding
  const resource = `${roleRef.kind.toLowerCase()}s`
  const what = { verb: 'bind', group: rbacGroup, resource, namespace, name: roleRef.name }
  if (mayDo(authorization.authorize, context.user, what)) return
  const rules = authorization.rulesOf(roleRef, namespace)
  if (!rules) throw notFound(rbacGroup, resource, roleRef.name)
  const problem = escalation(request, rules, authorization)
  if (problem) throw forbidden(rbacGroup, definition.plural, metadata.name, problem)
}

/** What the user would give away without having it, in upstream's words; undefined if there is nothing. */
function escalation(
  { context: { user }, namespace }: AdmissionRequest,
  wanted: readonly PolicyRule[],
  authorization: Authorization,
): string | undefined {
  const { rules, problem } = authorization.rulesFor(user, namespace)
  const missing = compacted(uncovered(rules, wanted)).map(describeRule).sort()
  if (missing.length === 0) return undefined
  const who = `user ${JSON.stringify(user.username)} (groups=${quoted(user.groups)})`
  const message = `${who} is attempting to grant RBAC permissions not currently held:\n${missing.join('\n')}`
  return problem ? `${message}; resolution errors: [${problem}]` : message
}

/** The garbage collector may take off owners and finalizers without holding the rules. */
function isOnlyCollected(object: KubernetesObject, previous: KubernetesObject | undefined): boolean {
  if (!previous) return false
  const { ownerReferences, finalizers } = previous.metadata
  const { managedFields: _, ...metadata } = { ...object.metadata, ownerReferences, finalizers }
  const { managedFields: __, ...before } = previous.metadata
  return sameJson({ ...object, metadata }, { ...previous, metadata: before }) && !sameJson(object, previous)
}
