/**
 * What has to be written so that a role or binding of the cluster's own is as this version wants it. Pure; follows
 * component-helpers' auth/rbac/reconciliation as the API server uses it at its start.
 *
 * Only what is missing is added: rules, selectors, subjects, labels. What somebody added stays. An object annotated
 * with autoupdate "false" is left alone, as are those of kubeadm once they are there.
 */

import { sameJson } from '@dinghy/shared/api/same-json'
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '@dinghy/shared/api/types'
import type { BootstrapBinding, BootstrapRole } from './bootstrap-policy.ts'
import { uncovered } from './covers.ts'

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate'

type AnyRole = Role & Pick<ClusterRole, 'aggregationRule'>
type AnyBinding = RoleBinding | ClusterRoleBinding

/** The role to write; undefined if `existing` will do. */
export function reconcileRole(expected: BootstrapRole, existing: AnyRole | undefined): AnyRole | undefined {
  const wanted = roleOf(expected)
  if (!existing) return wanted
  if (isLeftAlone(expected, existing)) return undefined
  const { rules = [], aggregationRule } = existing
  // Nearly always the rules are the very same, which is quick to see.
  const isSame = wanted.aggregationRule !== undefined || sameJson(rules, expected.rules)
  const missingRules = isSame ? [] : uncovered(rules, expected.rules)
  const selectors = aggregationRule?.clusterRoleSelectors ?? []
  const missingSelectors = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !selectors.some((other) => sameJson(other, selector)),
  )
  const metadata = withMissing(existing.metadata, wanted.metadata)
  if (metadata === existing.metadata && missingRules.length + missingSelectors.length === 0) return undefined
  return {
    ...existing,
    metadata,
    rules: [...rules, ...missingRules],
    ...(missingSelectors.length > 0
      ? { aggregationRule: { clusterRoleSelectors: [...selectors, ...missingSelectors] } }
      : {}),
  }
}

/** The binding to write; `replace` if it has another role, which a binding cannot change: it is made anew. */
export function reconcileBinding(
  expected: BootstrapBinding,
  existing: AnyBinding | undefined,
): { write?: AnyBinding; replace?: boolean } {
  const wanted = bindingOf(expected)
  if (!existing) return { write: wanted }
  if (isLeftAlone(expected, existing)) return {}
  const { subjects = [], metadata } = existing
  const missing = expected.subjects.filter((subject) => !subjects.some((other) => sameJson(other, subject)))
  const completed = { metadata: withMissing(metadata, wanted.metadata), subjects: [...subjects, ...missing] }
  if (!sameJson(existing.roleRef, expected.roleRef)) {
    return { write: { ...wanted, subjects: completed.subjects }, replace: true }
  }
  if (completed.metadata === metadata && missing.length === 0) return {}
  return { write: { ...existing, ...completed } }
}

function isLeftAlone({ isKubeadms }: { isKubeadms?: boolean }, { metadata }: AnyRole | AnyBinding): boolean {
  return isKubeadms === true || metadata.annotations?.[autoupdate] === 'false'
}

function roleOf(expected: BootstrapRole): AnyRole {
  const { rules, aggregates } = expected
  return {
    ...envelope(expected, expected.namespace ? 'Role' : 'ClusterRole', expected.labels),
    rules,
    ...(aggregates ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregates]: 'true' } }] } } : {}),
  }
}

function bindingOf(expected: BootstrapBinding): AnyBinding {
  const { roleRef, subjects, namespace } = expected
  return { ...envelope(expected, namespace ? 'RoleBinding' : 'ClusterRoleBinding'), roleRef, subjects }
}

function envelope({ name, namespace, isKubeadms }: BootstrapRole | BootstrapBinding, kind: string, labels = {}) {
  const marks = {
    annotations: { [autoupdate]: 'true' },
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  }
  const metadata = { name, ...(namespace ? { namespace } : {}), ...(isKubeadms ? {} : marks) }
  // The store adds what only a stored object has: uid, creationTimestamp.
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata } as Pick<AnyRole, 'apiVersion' | 'metadata'> & {
    kind: never
  }
}

/** The same object if nothing is missing. */
function withMissing(existing: AnyRole['metadata'], wanted: AnyRole['metadata']): AnyRole['metadata'] {
  if (hasAll(existing.labels, wanted.labels) && hasAll(existing.annotations, wanted.annotations)) return existing
  return {
    ...existing,
    labels: { ...wanted.labels, ...existing.labels },
    annotations: { ...wanted.annotations, ...existing.annotations },
  }
}

function hasAll(existing: Record<string, string> = {}, wanted: Record<string, string> = {}): boolean {
  return Object.keys(wanted).every((key) => Object.hasOwn(existing, key))
}
