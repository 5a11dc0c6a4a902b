/**
 * The Node authorizer: a kubelet may do what the role system:node says, and of what it says there only what concerns
 * its own node: its Node and Lease, the pods that run on it, and what those pods refer to. What it may write is left to
 * the admission plugin NodeRestriction, which sees the object. Follows plugin/pkg/auth/authorizer/node.
 *
 * Where upstream walks a graph that it keeps, this looks through the pods of the node. Secrets that only a
 * PersistentVolume names are not followed: no volume of ours has any.
 */

import { PersistentVolumes, VolumeAttachments } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js'
import type { AccessAttributes, Authorizer, Decision } from '../authorize.ts'
import type { ObjectReader } from '../object-reader.ts'
import { ruleAllows } from '../rbac/policy-rule.ts'
import type { UserInfo } from '../user.ts'
import { refersTo, type ReferencedKind } from './pod-references.ts'
import type { PodsByNode } from './pods-by-node.ts'

const leaseNamespace = 'kube-node-lease'
const allow: Decision = { allowed: true, reason: '' }

/** The node whose kubelet this user is. */
export function nodeOf({ username, groups }: UserInfo): string | undefined {
  const prefix = 'system:node:'
  return username.startsWith(prefix) && groups.includes('system:nodes') ? username.slice(prefix.length) : undefined
}

export interface NodeAuthorizerDeps {
  pods: PodsByNode
  reader: ObjectReader
  /** Those of system:node. */
  rules: readonly PolicyRule[]
}

export function nodeAuthorizer(deps: NodeAuthorizerDeps): Authorizer {
  return (attributes) => {
    const node = nodeOf(attributes.user)
    if (node === undefined) return deny('')
    if (node === '') return deny(`unknown node for user ${JSON.stringify(attributes.user.username)}`)
    const own = attributes.path === undefined ? subdivided[`${attributes.group}/${attributes.resource}`] : undefined
    if (own) return own(node, attributes, deps)
    return deps.rules.some((rule) => ruleAllows(rule, attributes)) ? allow : deny('')
  }
}

function deny(reason: string): Decision {
  return { allowed: false, reason }
}

type Judge = (node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps) => Decision

const subdivided: Record<string, Judge> = {
  '/secrets': readOf('secrets'),
  '/configmaps': readOf('configmaps'),
  '/persistentvolumeclaims': (node, attributes, deps) =>
    attributes.subresource === 'status'
      ? statusOfClaim(node, attributes, deps)
      : getOf(node, attributes, deps, isReferenced('persistentvolumeclaims')),
  '/persistentvolumes': (node, attributes, deps) => getOf(node, attributes, deps, isClaimedVolume),
  'storage.k8s.io/volumeattachments': (node, attributes, deps) => getOf(node, attributes, deps, isOwnAttachment),
  '/serviceaccounts': token,
  'coordination.k8s.io/leases': lease,
  'storage.k8s.io/csinodes': csiNode,
  '/nodes': ownNode,
  '/pods': pod,
}

type Relation = (node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps) => boolean

function related(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps, relation: Relation): Decision {
  if (!attributes.name) return deny('No Object name found')
  return relation(node, attributes, deps) ? allow : deny(`no relationship found between node '${node}' and this object`)
}

function isReferenced(kind: ReferencedKind): Relation {
  return (node, { namespace, name = '' }, { pods }) => {
    for (const one of pods.on(node).values()) {
      if (one.metadata.namespace === namespace && !isMirror(one) && refersTo(one, kind, name)) return true
    }
    return false
  }
}

/** Who made it is the node itself, so it must not open anything to it. */
function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
}

function isClaimedVolume(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps): boolean {
  const claim = deps.reader.get(PersistentVolumes, undefined, attributes.name ?? '')?.spec.claimRef
  const { namespace, name } = claim ?? {}
  return isReferenced('persistentvolumeclaims')(node, { ...attributes, namespace, name }, deps)
}

function isOwnAttachment(node: string, { name = '' }: AccessAttributes, { reader }: NodeAuthorizerDeps): boolean {
  return reader.get(VolumeAttachments, undefined, name)?.spec.nodeName === node
}

function isOwnPod(node: string, { namespace, name }: AccessAttributes, { pods }: NodeAuthorizerDeps): boolean {
  return pods.on(node).has(`/core/pods/${namespace}/${name}`)
}

function readOf(kind: ReferencedKind): Judge {
  return (node, attributes, deps) => {
    if (!['get', 'list', 'watch'].includes(attributes.verb)) return deny('can only read resources of this type')
    if (attributes.subresource) return deny('cannot read subresource')
    if (!attributes.namespace) return deny('can only read namespaced object of this type')
    return related(node, attributes, deps, isReferenced(kind))
  }
}

function getOf(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps, relation: Relation): Decision {
  if (attributes.verb !== 'get') return deny('can only get individual resources of this type')
  if (attributes.subresource) return deny('cannot get subresource')
  return related(node, attributes, deps, relation)
}

function statusOfClaim(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps): Decision {
  if (!['update', 'patch'].includes(attributes.verb)) return deny('can only get/update/patch this type')
  return related(node, attributes, deps, isReferenced('persistentvolumeclaims'))
}

function token(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps): Decision {
  const { verb, name, subresource } = attributes
  if (verb !== 'create' || !name) return deny('can only create tokens for individual service accounts')
  if (subresource !== 'token') return deny('can only create token subresource of serviceaccount')
  return related(node, attributes, deps, isReferenced('serviceaccounts'))
}

const objectVerbs = ['get', 'create', 'update', 'patch', 'delete']

function lease(node: string, { verb, namespace, name }: AccessAttributes): Decision {
  if (!objectVerbs.includes(verb)) return deny('can only get, create, update, patch, or delete a node lease')
  if (namespace !== leaseNamespace) return deny(`can only access leases in the "${leaseNamespace}" system namespace`)
  // A create names nothing yet: NodeRestriction looks at the object.
  if (verb === 'create' || name === node) return allow
  return deny('can only access node lease with the same name as the requesting node')
}

function csiNode(node: string, { verb, subresource, name }: AccessAttributes): Decision {
  if (!objectVerbs.includes(verb)) return deny('can only get, create, update, patch, or delete a CSINode')
  if (subresource) return deny('cannot authorize CSINode subresources')
  if (verb === 'create' || name === node) return allow
  return deny('can only access CSINode with the same name as the requesting node')
}

function ownNode(node: string, { verb, subresource, name }: AccessAttributes): Decision {
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? allow : deny('')
  if (subresource) return deny('')
  if (['create', 'update', 'patch'].includes(verb)) return allow
  if (!['get', 'list', 'watch'].includes(verb)) return deny('')
  if (name === node) return allow
  if (!name) return deny(`node '${node}' cannot read all nodes, only its own Node object`)
  return deny(`node '${node}' cannot read '${name}', only its own Node object`)
}

function pod(node: string, attributes: AccessAttributes, deps: NodeAuthorizerDeps): Decision {
  const { verb, subresource, name, fieldSelector = [] } = attributes
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? allow : deny('')
  if (subresource) return subresource === 'eviction' && verb === 'create' ? allow : deny('')
  switch (verb) {
    case 'get':
      return related(node, attributes, deps, isOwnPod)
    case 'list':
    case 'watch': {
      const isOwn = fieldSelector.some(
        ({ field, operator, value }) => field === 'spec.nodeName' && operator === '=' && value === node,
      )
      if (isOwn) return allow
      return name
        ? related(node, attributes, deps, isOwnPod)
        : deny('can only list/watch pods with spec.nodeName field selector')
    }
    case 'create':
    case 'delete':
      return allow
    default:
      return deny('')
  }
}
