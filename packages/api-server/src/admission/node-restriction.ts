/**
 * NodeRestriction: what the Node authorizer lets a kubelet write is held to its own Node, Lease and CSINode, to the
 * status of the pods that run there and of their claims, to mirror pods, and to tokens that are bound to its pods.
 * Follows plugin/pkg/admission/noderestriction, in its words.
 */

import { forbidden, notFound } from '@dinghy/shared/api/errors'
import { Nodes, Pods } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { KubernetesObject, Node, PersistentVolumeClaim, Pod } from '@dinghy/shared/api/types'
import { firstReference } from '../auth/node/pod-references.ts'
import { nodeOf } from '../auth/node/node-authorizer.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'
import type { Reader } from '../registry/reader.ts'

const leaseNamespace = 'kube-node-lease'
const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** Why a node may not do it; undefined if it may. */
type Rule = (node: string, request: AdmissionRequest, reader: Reader) => string | undefined

export function nodeRestriction(reader: Reader): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    validate(request) {
      const { definition, name, context } = request
      const node = nodeOf(context.user)
      if (node === undefined || request.operation === 'CONNECT') return
      const rule = rules[`${definition.group}/${definition.plural}`]
      const problem =
        node === ''
          ? `could not determine node from user ${JSON.stringify(context.user.username)}`
          : rule?.(node, request, reader)
      if (problem) throw forbidden(definition.group, definition.plural, name, problem)
    },
  }
}

const rules: Record<string, Rule> = {
  '/pods': pods,
  '/nodes': nodes,
  '/persistentvolumeclaims': claims,
  '/serviceaccounts': tokens,
  'coordination.k8s.io/leases': leases,
  'storage.k8s.io/csinodes': csiNodes,
}

function pods(node: string, request: AdmissionRequest, reader: Reader): string | undefined {
  const { operation, subresource, namespace, name, object, previous } = request
  const who = `node ${JSON.stringify(node)}`
  if (subresource === 'status') return podStatus(who, node, object as Pod, previous as Pod)
  if (subresource === 'eviction') return eviction(node, request, reader)
  if (subresource !== undefined) {
    return `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`
  }
  if (operation === 'CREATE') return mirrorPod(who, node, object as Pod, reader)
  if (operation !== 'DELETE') {
    return `unexpected operation ${JSON.stringify(operation)}, ${who} can only create and delete mirror pods`
  }
  const existing = reader.get(Pods, namespace, name)
  if (!existing) throw notFound('', 'pods', name)
  return existing.spec.nodeName === node ? undefined : `${who} can only delete pods with spec.nodeName set to itself`
}

function eviction(node: string, { namespace, name }: AdmissionRequest, reader: Reader): string | undefined {
  const existing = reader.get(Pods, namespace, name)
  if (!existing) throw notFound('', 'pods', name)
  return existing.spec.nodeName === node
    ? undefined
    : `node ${node} can only evict pods with spec.nodeName set to itself`
}

function podStatus(who: string, node: string, next: Pod, previous: Pod): string | undefined {
  if (previous.spec.nodeName !== node)
    return `${who} can only update pod status for pods with spec.nodeName set to itself`
  const isSame = sameJson(next.metadata.labels ?? {}, previous.metadata.labels ?? {})
  return isSame ? undefined : `${who} cannot update labels through pod status`
}

/** A pod that a kubelet read from a file, shown to the rest of the cluster. It may open nothing to its maker. */
function mirrorPod(who: string, node: string, pod: Pod, reader: Reader): string | undefined {
  const { metadata, spec } = pod
  if (metadata.annotations?.[mirrorAnnotation] === undefined) {
    return `pod does not have "${mirrorAnnotation}" annotation, ${who} can only create mirror pods`
  }
  if (spec.nodeName !== node) return `${who} can only create pods with spec.nodeName set to itself`
  const [owner, ...others] = metadata.ownerReferences ?? []
  if (others.length > 0) return `${who} can only create pods with a single owner reference set to itself`
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    return `${who} can only create pods with an owner reference set to itself`
  }
  if (!owner.controller) return `${who} can only create pods with a controller owner reference set to itself`
  if (owner.blockOwnerDeletion) return `${who} must not set blockOwnerDeletion on an owner reference`
  const own = reader.get(Nodes, undefined, node)
  if (!own) throw notFound('', 'nodes', node)
  if (owner.uid !== own.metadata.uid) {
    return `node ${node} UID mismatch: expected ${owner.uid} got ${own.metadata.uid}`
  }
  if (spec.serviceAccountName) return `${who} can not create pods that reference a service account`
  const referenced = firstReference(pod)
  return referenced ? `${who} can not create pods that reference ${referenced}` : undefined
}

function nodes(node: string, { operation, name, object, previous }: AdmissionRequest): string | undefined {
  const who = `node ${JSON.stringify(node)}`
  if (name !== node) return `${who} is not allowed to modify node ${JSON.stringify(name)}`
  if (operation === 'CREATE') {
    const labels = forbiddenLabels(object)
    return labels ? `${who} is not allowed to set the following labels: ${labels}` : undefined
  }
  if (operation !== 'UPDATE') return undefined
  const [next, before] = [object as Node, previous as Node]
  if (!sameJson(next.spec.taints ?? [], before.spec.taints ?? [])) return `${who} is not allowed to modify taints`
  const labels = forbiddenLabels(next, before)
  return labels ? `is not allowed to modify labels: ${labels}` : undefined
}

/** Labels by which a node could draw pods to itself that were not meant for it. */
function forbiddenLabels(next: KubernetesObject | undefined, previous?: KubernetesObject): string {
  const [now, before] = [next?.metadata.labels ?? {}, previous?.metadata.labels ?? {}]
  const changed = Object.keys({ ...now, ...before }).filter((key) => now[key] !== before[key])
  return changed.filter(isForbiddenLabel).sort().join(', ')
}

function isForbiddenLabel(key: string): boolean {
  const namespace = key.includes('/') ? (key.split('/', 1)[0] ?? '') : ''
  const isBelow = (domain: string) => namespace === domain || namespace.endsWith(`.${domain}`)
  if (isBelow('node-restriction.kubernetes.io')) return true
  if (!isBelow('kubernetes.io') && !isBelow('k8s.io')) return false
  return !kubeletLabels.has(key) && !isBelow('kubelet.kubernetes.io') && !isBelow('node.kubernetes.io')
}

const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
])

function claims(node: string, { subresource, object, previous }: AdmissionRequest): string | undefined {
  if (subresource !== 'status') return 'may only update PVC status'
  if (sameJson(unchangeable(object), unchangeable(previous))) return undefined
  return `node ${JSON.stringify(node)} is not allowed to update fields other than status.capacity and status.conditions`
}

function unchangeable(claim: KubernetesObject | undefined): object {
  const { metadata, status, ...rest } = claim as PersistentVolumeClaim
  const { resourceVersion: _version, managedFields: _owners, ...kept } = metadata
  const { capacity: _c, conditions: _d, allocatedResources: _r, allocatedResourceStatuses: _s, ...other } = status
  return { ...rest, metadata: kept, status: other }
}

interface TokenRequest extends KubernetesObject {
  spec?: { boundObjectRef?: { apiVersion?: string; kind?: string; name?: string; uid?: string } }
}

function tokens(node: string, request: AdmissionRequest, reader: Reader): string | undefined {
  const { operation, subresource, namespace, object } = request
  if (operation !== 'CREATE' || subresource !== 'token') return undefined
  const { apiVersion, kind, name, uid } = (object as TokenRequest).spec?.boundObjectRef ?? {}
  if (apiVersion !== 'v1' || kind !== 'Pod' || !name) return 'node requested token not bound to a pod'
  if (!uid) return 'node requested token with a pod binding without a uid'
  const pod = reader.get(Pods, namespace, name)
  if (!pod) throw notFound('', 'pods', name)
  if (pod.metadata.uid !== uid) {
    return `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
  }
  if (pod.spec.nodeName !== node) return 'node requested token bound to a pod scheduled on a different node'
  return undefined
}

function leases(node: string, { namespace, name }: AdmissionRequest): string | undefined {
  if (namespace !== leaseNamespace) return `can only access leases in the "${leaseNamespace}" system namespace`
  return name === node ? undefined : 'can only access node lease with the same name as the requesting node'
}

function csiNodes(node: string, { name }: AdmissionRequest): string | undefined {
  return name === node ? undefined : 'can only access CSINode with the same name as the requesting node'
}
