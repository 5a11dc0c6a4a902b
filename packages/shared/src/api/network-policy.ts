/**
 * What NetworkPolicies mean: which policies a pod is under, and what one of their rules lets through. Pure; the proxy
 * makes the kernel's rules of it, `dinghy explain-connection` tells of it.
 *
 * As upstream's API says: a pod that no policy selects for a direction is open in that direction; one that is selected
 * lets through what any rule of any of its policies allows. A connection needs both ends to agree. A pod's own node,
 * and a pod that calls itself, always get through, and answers belong to the connection. Pods of the node's own network
 * (hostNetwork) are the node: no policy selects them, and no selector means them.
 */

import { contains } from './ipv4.ts'
import { keyOf } from './keys.ts'
import { labelSelectorFrom, matchesLabels, type Labels } from './selectors.ts'
import type { EndpointSlice, NetworkPolicy, Pod } from './types.ts'

export type Direction = 'Ingress' | 'Egress'
export type PolicyPeer = NonNullable<PolicyRule['peers']>[number]
export type PolicyPort = NonNullable<NonNullable<NetworkPolicy['spec']['ingress']>[number]['ports']>[number]

/** A rule of either direction: `from` and `to` are both its peers. Absent lists mean everything. */
export interface PolicyRule {
  peers?: NonNullable<NonNullable<NetworkPolicy['spec']['ingress']>[number]['from']>
  ports?: PolicyPort[]
}

export function rulesOf({ spec }: NetworkPolicy, direction: Direction): PolicyRule[] {
  const rules: PolicyRule[] =
    direction === 'Ingress'
      ? (spec.ingress ?? []).map(({ from, ports }) => ({
          ...(from ? { peers: from } : {}),
          ...(ports ? { ports } : {}),
        }))
      : (spec.egress ?? []).map(({ to, ports }) => ({ ...(to ? { peers: to } : {}), ...(ports ? { ports } : {}) }))
  // An empty list is as good as none.
  return rules.map(({ peers, ports }) => ({
    ...(peers && peers.length > 0 ? { peers } : {}),
    ...(ports && ports.length > 0 ? { ports } : {}),
  }))
}

/** A pod as policies see it: it has an address of its own, and may still be talking. */
export function isSubject({ spec, status }: Pod): boolean {
  const isOver = status.phase === 'Succeeded' || status.phase === 'Failed'
  return status.podIP !== undefined && status.podIP !== '' && spec.hostNetwork !== true && !isOver
}

/** The policies that a pod is under in this direction. */
export function policiesOf(pod: Pod, policies: readonly NetworkPolicy[], direction: Direction): NetworkPolicy[] {
  return policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      directionsOf(spec).includes(direction) &&
      matchesLabels(labelSelectorFrom(spec.podSelector), pod.metadata.labels),
  )
}

function directionsOf({ policyTypes, egress }: NetworkPolicy['spec']): string[] {
  if (policyTypes && policyTypes.length > 0) return policyTypes
  return egress && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
}

/** Whether a peer that is made of selectors means this pod; `labelsOf` gives those of a namespace. */
export function meansPod(
  peer: PolicyPeer,
  policyNamespace: string | undefined,
  pod: Pod,
  labelsOf: (namespace: string) => Labels | undefined,
): boolean {
  if (peer.ipBlock || (!peer.podSelector && !peer.namespaceSelector)) return false
  const { namespace = '', labels } = pod.metadata
  const isPlace = peer.namespaceSelector
    ? matchesLabels(labelSelectorFrom(peer.namespaceSelector), labelsOf(namespace))
    : namespace === policyNamespace
  return isPlace && (!peer.podSelector || matchesLabels(labelSelectorFrom(peer.podSelector), labels))
}

export function meansAddress({ ipBlock }: PolicyPeer, address: string): boolean {
  if (!ipBlock) return false
  return contains(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((range) => contains(range, address))
}

/** The number of a named port of a pod, by protocol. */
export function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  for (const { ports = [] } of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const found = ports.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)
    if (found) return found.containerPort
  }
  return undefined
}

export interface End {
  address: string
  /** Absent for whoever is no pod, and for a pod of a node's network. */
  pod?: Pod
}

export interface Connection {
  from: End
  to: End
  protocol: string
  port: number
}

export interface SideVerdict {
  allowed: boolean
  /** The policies that the pod of this side is under, "namespace/name". */
  policies: string[]
  /** The rule that lets it through: of which policy, and the how many-th. */
  by?: { policy: string; index: number }
}

export interface PolicyWorld {
  policies: readonly NetworkPolicy[]
  namespaceLabels: (namespace: string) => Labels | undefined
}

/** What the pod at one end says of a connection: its egress policies if it is the sender's, else its ingress ones. */
export function verdictOf(connection: Connection, direction: Direction, world: PolicyWorld): SideVerdict {
  const { from, to } = connection
  const [self, other] = direction === 'Egress' ? [from, to] : [to, from]
  if (!self.pod || !isSubject(self.pod)) return { allowed: true, policies: [] }
  const policies = policiesOf(self.pod, world.policies, direction)
  const names = policies.map(keyOf)
  if (policies.length === 0 || self.address === other.address) return { allowed: true, policies: names }
  for (const policy of policies) {
    const index = rulesOf(policy, direction).findIndex(
      (rule) => hasPeer(rule, policy, other, world) && hasPort(rule, connection),
    )
    if (index >= 0) return { allowed: true, policies: names, by: { policy: keyOf(policy), index } }
  }
  return { allowed: false, policies: names }
}

function hasPeer({ peers }: PolicyRule, { metadata }: NetworkPolicy, other: End, world: PolicyWorld): boolean {
  if (!peers) return true
  const { address, pod } = other
  return peers.some(
    (peer) =>
      meansAddress(peer, address) ||
      (pod !== undefined && isSubject(pod) && meansPod(peer, metadata.namespace, pod, world.namespaceLabels)),
  )
}

function hasPort({ ports }: PolicyRule, { to, protocol, port: asked }: Connection): boolean {
  if (!ports) return true
  return ports.some(({ port, endPort, protocol: allowed = 'TCP' }) => {
    if (allowed !== protocol) return false
    if (port === undefined) return true
    if (typeof port === 'string') return to.pod !== undefined && namedPort(to.pod, port, protocol) === asked
    return asked >= port && asked <= (endPort ?? port)
  })
}

/**
 * The cluster's DNS as pods: where its Service kube-system/kube-dns leads to a process that is no pod, policies mean it
 * by the labels that its pods have everywhere.
 */
export function dnsPods(slices: readonly EndpointSlice[]): Pod[] {
  const own = slices.filter(
    ({ metadata }) =>
      metadata.namespace === 'kube-system' && metadata.labels?.['kubernetes.io/service-name'] === 'kube-dns',
  )
  return own.flatMap(({ metadata, ports = [], endpoints }) => {
    const named = ports.flatMap(({ name = '', port = 0, protocol = 'TCP' }) => ({
      name,
      containerPort: port,
      protocol,
    }))
    const spec = { containers: [{ name: 'dns', image: 'dns', ports: named }] }
    const withoutPod = endpoints.filter(({ targetRef }) => targetRef === undefined)
    return withoutPod.flatMap(({ addresses }) =>
      addresses.map((podIP) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata, name: 'kube-dns', labels: { 'k8s-app': 'kube-dns' } },
        spec,
        status: { podIP },
      })),
    )
  })
}
