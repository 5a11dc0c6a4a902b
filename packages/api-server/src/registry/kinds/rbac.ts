/**
 * Roles and their bindings.
 */

import { isDeepStrictEqual } from 'node:util'
import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isPathSegmentName } from '@dinghy/shared/api/names'
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '@dinghy/shared/api/types'
import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.js'
import { labelSelector, oneOf, requiredText } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

const rbac = 'rbac.authorization.k8s.io'

/** "system:kube-scheduler" is a fine name for a role. */
function validateName(name: string) {
  return isPathSegmentName(name)
}

export const roles: KindRules<Role> = {
  strategy: {
    validateName,
    validate: ({ rules }) => (rules ?? []).flatMap((rule, i) => validateRule(rule, `rules[${i}]`, true)),
    allowCreateOnUpdate: true,
  },
}

export const clusterRoles: KindRules<ClusterRole> = {
  strategy: {
    validateName,
    validate: ({ rules, aggregationRule }) => [
      ...(rules ?? []).flatMap((rule, i) => validateRule(rule, `rules[${i}]`, false)),
      ...(aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector, i) =>
        labelSelector(`aggregationRule.clusterRoleSelectors[${i}]`, selector),
      ),
      ...(aggregationRule && !aggregationRule.clusterRoleSelectors?.length
        ? [
            required(
              'aggregationRule.clusterRoleSelectors',
              'at least one clusterRoleSelector required if aggregationRule is non-nil',
            ),
          ]
        : []),
    ],
    allowCreateOnUpdate: true,
  },
}

function validateRule(rule: Partial<PolicyRule>, path: string, isNamespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const errors = verbs.length === 0 ? [required(`${path}.verbs`, 'verbs must contain at least one value')] : []
  if (nonResourceURLs.length > 0) {
    const at = `${path}.nonResourceURLs`
    if (isNamespaced) {
      errors.push(invalid(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
    }
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      errors.push(invalid(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'))
    }
    return errors
  }
  if (apiGroups.length === 0) {
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  }
  if (resources.length === 0) {
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  }
  return errors
}

export const roleBindings: KindRules<RoleBinding> = bindingRules(['ClusterRole', 'Role'])
export const clusterRoleBindings: KindRules<ClusterRoleBinding> = bindingRules(['ClusterRole'])

function bindingRules(roleKinds: string[]): KindRules<RoleBinding | ClusterRoleBinding> {
  return {
    strategy: {
      defaults({ roleRef, subjects }) {
        if (roleRef) roleRef.apiGroup ||= rbac
        for (const subject of subjects ?? []) {
          if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ??= rbac
        }
      },
      validateName,
      validate: ({ roleRef, subjects }) => [
        ...(roleRef?.apiGroup === rbac ? [] : [notSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', [rbac])]),
        ...oneOf('roleRef.kind', roleRef?.kind ?? '', roleKinds),
        ...requiredText('roleRef.name', roleRef?.name),
        ...(subjects ?? []).flatMap((subject, i) =>
          validateSubject(subject, roleKinds.includes('Role'), `subjects[${i}]`),
        ),
      ],
      validateUpdate: (next, previous) =>
        isDeepStrictEqual(next.roleRef, previous.roleRef)
          ? []
          : [invalid('roleRef', next.roleRef, 'cannot change roleRef')],
      allowCreateOnUpdate: true,
    },
  }
}

/** A service account without a namespace is the binding's own neighbour – if the binding has a namespace. */
function validateSubject(subject: Subject, isNamespaced: boolean, path: string): FieldError[] {
  const { kind, name, namespace, apiGroup = '' } = subject
  const errors = requiredText(`${path}.name`, name)
  const expected = kind === 'ServiceAccount' ? '' : rbac
  if (!['ServiceAccount', 'User', 'Group'].includes(kind)) {
    return [...errors, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]
  }
  if (apiGroup !== expected) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [expected]))
  if (kind === 'ServiceAccount' && !namespace && !isNamespaced) errors.push(required(`${path}.namespace`))
  return errors
}
