/**
 * Small builders of stored objects for tests: only what a test says differs from a plain one.
 */

import type {
  ConfigMap,
  Container,
  ContainerStatus,
  Pod,
  PodSpec,
  PodStatus,
  Secret,
  Service,
  ServicePort,
} from '@dinghy/shared/api/types'

export const podUid = '11111111-2222-3333-4444-555555555555'
export const startOfTime = Date.parse('2025-01-01T00:00:00Z')

export function container(overrides: Partial<Container> = {}): Container {
  return { name: 'app', image: 'busybox:1', imagePullPolicy: 'IfNotPresent', ...overrides }
}

export function pod(spec: Partial<PodSpec> = {}, status: PodStatus = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: podUid,
      resourceVersion: '1',
      creationTimestamp: '2025-01-01T00:00:00Z',
      ...metadata,
    },
    spec: {
      containers: [container()],
      restartPolicy: 'Always',
      nodeName: 'node-1',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      ...spec,
    },
    status: { phase: 'Pending', ...status },
  }
}

export function containerStatus(overrides: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name: 'app', image: 'busybox:1', imageID: '', ready: false, restartCount: 0, ...overrides }
}

export function service(namespace: string, name: string, clusterIP: string, ports: ServicePort[]): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(namespace, name),
    spec: { clusterIP, ports },
    status: {},
  }
}

export function configMap(name: string, data: Record<string, string>, namespace = 'default'): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(namespace, name), data }
}

/** The values are given in clear and stored in base64, as the API does. */
export function secret(name: string, data: Record<string, string>, namespace = 'default'): Secret {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: meta(namespace, name),
    data: Object.fromEntries(encoded) as Record<string, string>,
  }
}

function meta(namespace: string, name: string) {
  return {
    name,
    namespace,
    uid: `uid-of-${name}`,
    resourceVersion: '1',
    creationTimestamp: '2025-01-01T00:00:00Z',
  }
}
