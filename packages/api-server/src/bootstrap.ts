/**
 * What a cluster has from the first moment on: its own namespaces, the roles and bindings of RBAC, the two priority
 * classes of the system, and the Service "kubernetes", by which programs in pods find this server.
 *
 * Level-triggered: each start makes what is missing and corrects what has moved.
 */

import type { Resource } from '@dinghy/shared/api/resources'
import {
  apiVersionOf,
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
import { setAt, valueAt } from './registry/field-path.ts'
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
  await Promise.all([ensureRbacDefaults(cluster.store, namespacedPolicy()), kubernetesService(cluster)])
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
      for (const path of paths) setAt(current, path, valueAt(object, path))
      return current
    },
    serverContext,
    { createIfMissing: () => object },
  )
}
