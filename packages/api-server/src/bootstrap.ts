/**
 * What a cluster has from the first moment on: its own namespaces, the roles and bindings of RBAC, the two priority
 * classes of the system, the Service "kubernetes", by which programs in pods find this server, and what extension
 * servers have to know to believe it.
 *
 * Level-triggered: each start makes what is missing and corrects what has moved.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import {
  apiVersionOf,
  ConfigMaps,
  EndpointSlices,
  EndpointsResource,
  Namespaces,
  PriorityClasses,
  Services,
} from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { clusterPolicy, namespacedPolicy } from './auth/rbac/bootstrap-policy.ts'
import { ensureRbacDefaults } from './bootstrap/rbac-defaults.ts'
import type { Ipv4Range } from './registry/ipv4-range.ts'
import { numberToIp } from './registry/ipv4-range.ts'
import { setNestedField, nestedField } from './registry/nested-field.ts'
import type { Resources } from './registry/resources.ts'
import type { Store } from './registry/store.ts'
import { serverContext } from './registry/write-context.ts'

interface Cluster {
  store: Store
  resources: Resources
}

export interface Bootstrap extends Cluster {
  /** Where this server listens. */
  host: string
  port: number
  serviceRange: Ipv4Range
  dns?: ClusterDns | undefined
  /** Who signs the certificates of clients, and of this server where it asks for others. PEM. */
  authorities: { clients?: string | undefined; frontProxies?: string | undefined }
}

export interface ClusterDns {
  /** Of the Service. */
  address: string
  endpoint: { host: string; port: number }
}

const systemNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system']

const systemPriorityClasses = [
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    for: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    for: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
]

type Content = { metadata: { name: string; namespace?: string; labels?: Record<string, string> } } & Record<
  string,
  unknown
>

/** What must be there before the first request: without roles it would be refused. One commit. */
export async function bootstrapCluster(cluster: Cluster): Promise<void> {
  await Promise.all([
    ...systemNamespaces.map((name) => ensure(cluster, Namespaces, { metadata: { name } })),
    ...systemPriorityClasses.map(({ name, value, for: description }) =>
      ensure(cluster, PriorityClasses, { metadata: { name }, value, description }),
    ),
    ensureRbacDefaults(cluster.store, clusterPolicy()),
  ])
}

/** What lives in those namespaces, and the address at which this server listens by now. */
export async function bootstrapNamespaces(cluster: Bootstrap): Promise<void> {
  const { dns } = cluster
  await Promise.all([
    ensureRbacDefaults(cluster.store, namespacedPolicy()),
    kubernetesService(cluster),
    authenticationConfig(cluster),
    ...(dns ? [dnsService(cluster, dns)] : []),
  ])
}

/** kubeadm's Service of this name. Its DNS server is no pod, so its endpoint is written, not selected. */
async function dnsService(cluster: Bootstrap, { address, endpoint }: ClusterDns): Promise<void> {
  const metadata = { name: 'kube-dns', namespace: 'kube-system' }
  const labels = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' }
  const names = [
    { name: 'dns', protocol: 'UDP' },
    { name: 'dns-tcp', protocol: 'TCP' },
  ]
  const { host, port } = endpoint
  await ensure(cluster, Services, {
    metadata: { ...metadata, labels },
    spec: {
      clusterIP: address,
      ports: names.map((one) => ({ ...one, port: 53, targetPort: port })),
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  })
  const slice = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: names.map((one) => ({ ...one, port })),
  }
  await ensure(cluster, EndpointSlices, slice, ['endpoints'], ['ports'])
}

/** Where extension servers learn whom to believe: upstream's cluster authentication trust controller writes it. */
async function authenticationConfig(cluster: Bootstrap): Promise<void> {
  const { clients, frontProxies } = cluster.authorities
  if (clients === undefined && frontProxies === undefined) return
  const data = {
    ...(clients === undefined ? {} : { 'client-ca-file': clients }),
    ...(frontProxies === undefined ? {} : { ...requestHeaders, 'requestheader-client-ca-file': frontProxies }),
  }
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system' }
  await ensure(cluster, ConfigMaps, { metadata, data }, ['data'])
}

/** Lists in JSON. */
const requestHeaders = {
  'requestheader-allowed-names': '["front-proxy-client"]',
  'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
  'requestheader-group-headers': '["X-Remote-Group"]',
  'requestheader-uid-headers': '["X-Remote-Uid"]',
  'requestheader-username-headers': '["X-Remote-User"]',
}

/** As upstream, the first address of the range, port 443; its endpoint is this server. */
async function kubernetesService(cluster: Bootstrap): Promise<void> {
  const { host, port, serviceRange } = cluster
  const metadata = { name: 'kubernetes', namespace: 'default' }
  const labels = { component: 'apiserver', provider: 'kubernetes' }
  await ensure(
    cluster,
    Services,
    {
      metadata: { ...metadata, labels },
      spec: {
        clusterIP: numberToIp(serviceRange.first),
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
        sessionAffinity: 'None',
        type: 'ClusterIP',
      },
    },
    ['spec', 'ports'],
  )
  await ensure(
    cluster,
    EndpointsResource,
    {
      metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets: [{ addresses: [{ ip: host }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
    },
    ['subsets'],
  )
  const slice = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  }
  await ensure(cluster, EndpointSlices, slice, ['endpoints'], ['ports'])
}

/** Creates the object; if it is there, only what stands at `paths` is brought up to date. */
async function ensure(
  { store, resources }: Cluster,
  resource: Resource,
  content: Content,
  ...paths: string[][]
): Promise<void> {
  const definition = resources.definitionOf(resource)
  const { name, namespace } = content.metadata
  const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...content } as unknown as KubernetesObject
  await store.update(
    definition,
    { namespace, name },
    (current) => {
      for (const path of paths) setNestedField(current, path, nestedField(object, path))
      return current
    },
    serverContext,
    { createIfMissing: () => object },
  )
}
