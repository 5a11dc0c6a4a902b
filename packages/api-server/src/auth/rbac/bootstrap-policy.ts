/**
 * The roles and bindings that every cluster has, put together from their tables. `system:controller:X` is bound to the
 * service account X of kube-system. The kubeadm ones are what kubeadm adds to a cluster; tools that are made for its
 * clusters expect them.
 */

import type { PolicyRule, RoleRef, Subject } from 'kubernetes-types/rbac/v1.js'
import { controllerRules, ownControllerRules } from './controller-roles.ts'
import { clusterBindings, kubeadmBindings, namespacedBindings } from './default-bindings.ts'
import { aggregatedInto, clusterRoleRules, namespacedRules } from './default-roles.ts'
import { parseRule, parseSubject, rbacGroup, splitOnce } from './policy-line.ts'

export interface BootstrapRole {
  name: string
  /** A Role's; a ClusterRole has none. */
  namespace?: string
  labels?: Record<string, string>
  /** Those of an aggregated role are the ones that it begins with. */
  rules: PolicyRule[]
  /** The label whose value "true" makes other roles part of this one. */
  aggregates?: string
  /** Made by kubeadm: it is left alone once it is there. */
  isKubeadms?: boolean
}

export interface BootstrapBinding {
  name: string
  namespace?: string
  roleRef: RoleRef
  subjects: Subject[]
  isKubeadms?: boolean
}

/**
 * Upstream's controllers each act as a service account of their own. Ours share the identity of their process, so it is
 * allowed what they are allowed together, and what only ours do.
 */
const ownControllers = 'dinghy:controllers'

/** Those of the whole cluster. All of these are made anew by each call, so that a caller may keep what it gets. */
export function clusterPolicy(): { roles: BootstrapRole[]; bindings: BootstrapBinding[] } {
  const controllers = Object.entries(controllerRules)
  const roles: BootstrapRole[] = [
    ...Object.entries(clusterRoleRules).map(([name, rules]) => cluster(name, rules)),
    ...controllers.map(([name, rules]) => cluster(`system:controller:${name}`, rules)),
    cluster(ownControllers, [...new Set([...controllers.flatMap(([, rules]) => rules), ...ownControllerRules])]),
    { name: 'kubeadm:get-nodes', rules: [parseRule('get core nodes')], isKubeadms: true },
  ]
  const bindings = [
    ...Object.entries(clusterBindings).map(([name, subjects]) => binding(name, subjects)),
    ...controllers.map(([name]) => binding(`system:controller:${name}`, [`ServiceAccount kube-system/${name}`])),
    binding(ownControllers, ['User system:kube-controller-manager']),
    ...Object.entries(kubeadmBindings).map(([name, subjects]) => ({ ...binding(name, subjects), isKubeadms: true })),
  ]
  return { roles: withAggregated(roles), bindings }
}

/** What the Node authorizer goes by: the rules of system:node. */
export function nodeRules(): PolicyRule[] {
  return (clusterRoleRules['system:node'] ?? []).map(parseRule)
}

/** Those of single namespaces, which are the system's. */
export function namespacedPolicy(): { roles: BootstrapRole[]; bindings: BootstrapBinding[] } {
  const roles = Object.entries(namespacedRules).map(([place, rules]) => {
    const [namespace, name = ''] = splitOnce(place, '/')
    return { name, namespace, rules: rules.map(parseRule) }
  })
  const bindings = Object.entries(namespacedBindings).map(([place, subjects]) => {
    const [namespace, name = ''] = splitOnce(place, '/')
    return { ...binding(name, subjects, 'Role'), namespace }
  })
  return { roles, bindings }
}

/**
 * admin, edit and view begin with the rules that the aggregation controller would give them, so that they are good from
 * the first moment on. From then on their rules are that controller's.
 */
function withAggregated(roles: BootstrapRole[]): BootstrapRole[] {
  const all = [...roles]
  for (const name of ['view', 'edit', 'admin']) {
    const aggregates = `rbac.authorization.k8s.io/aggregate-to-${name}`
    const parts = all.filter(({ labels }) => labels?.[aggregates] === 'true')
    parts.sort((a, b) => (a.name < b.name ? -1 : 1))
    all.push({ ...cluster(name, []), aggregates, rules: parts.flatMap(({ rules }) => rules) })
  }
  return all
}

function cluster(name: string, rules: readonly string[]): BootstrapRole {
  const into = aggregatedInto[name]
  return {
    name,
    ...(into ? { labels: { [`rbac.authorization.k8s.io/aggregate-to-${into}`]: 'true' } } : {}),
    rules: rules.map(parseRule),
  }
}

function binding(text: string, subjects: readonly string[], kind = 'ClusterRole'): BootstrapBinding {
  const [name, role = name] = splitOnce(text, '=')
  return { name, roleRef: { apiGroup: rbacGroup, kind, name: role }, subjects: subjects.map(parseSubject) }
}
