/**
 * The lines in which roles and their subjects are written down in default-roles.ts, controller-roles.ts and
 * default-bindings.ts, read as Kubernetes has them.
 */

import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.js'

export const rbacGroup = 'rbac.authorization.k8s.io'

const verbSets: Record<string, string> = {
  read: 'get,list,watch',
  write: 'create,delete,deletecollection,patch,update',
  all: 'create,delete,deletecollection,get,list,patch,update,watch',
}

export function parseRule(line: string): PolicyRule {
  const [verbs = '', groups = '', resources, names] = line.split(' ')
  const rule = { verbs: (verbSets[verbs] ?? verbs).split(',') }
  if (!resources) return { ...rule, nonResourceURLs: groups.split(',') }
  return {
    ...rule,
    apiGroups: groups.split(',').map((group) => (group === 'core' ? '' : group)),
    resources: resources.split(','),
    ...(names ? { resourceNames: names.split(',') } : {}),
  }
}

export function parseSubject(text: string): Subject {
  const [kind, place = ''] = splitOnce(text, ' ')
  if (kind !== 'ServiceAccount') return { kind, apiGroup: rbacGroup, name: place }
  const [namespace, name = ''] = splitOnce(place, '/')
  return { kind, namespace, name }
}

export function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
