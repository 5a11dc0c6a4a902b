/** Objects for the tests of this package: complete as the API server would store them, with what matters overridden. */

import type { Deployment, Node, ObjectMeta, OwnerReference, Pod, ReplicaSet } from '@dinghy/shared/api/types'

export const epoch = Date.parse('2025-01-01T00:00:00Z')

/** RFC 3339, so many seconds after the epoch of the tests. */
export function at(seconds: number): string {
  return `${new Date(epoch + seconds * 1000).toISOString().slice(0, 19)}Z`
}

let counter = 0

export function metaOf(name: string, more: Partial<ObjectMeta> = {}): ObjectMeta {
  counter += 1
  const uid = `uid-${String(counter).padStart(5, '0')}`
  return { name, namespace: 'default', uid, resourceVersion: String(counter), creationTimestamp: at(0), ...more }
}

export interface PodFacts {
  metadata?: Partial<ObjectMeta>
  node?: string
  phase?: string
  /** Since when it is ready, in seconds after the epoch; absent: not ready. */
  readyAt?: number
  restarts?: number
  spec?: Partial<Pod['spec']>
  ip?: string
}

export function makePod(name: string, facts: PodFacts = {}): Pod {
  const { metadata, node, phase = 'Running', readyAt, restarts, spec, ip } = facts
  const condition = { type: 'Ready', status: 'True', lastTransitionTime: at(readyAt ?? 0) }
  const container = { name: 'main', image: '', imageID: '', ready: readyAt !== undefined, restartCount: restarts ?? 0 }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metaOf(name, metadata),
    spec: { containers: [{ name: 'main', image: 'web' }], ...(node ? { nodeName: node } : {}), ...spec },
    status: {
      phase,
      ...(readyAt === undefined ? {} : { conditions: [condition] }),
      ...(restarts === undefined ? {} : { containerStatuses: [container] }),
      ...(ip ? { podIP: ip, podIPs: [{ ip }] } : {}),
    },
  }
}

export function controlledBy(owner: { apiVersion: string; kind: string; metadata: ObjectMeta }): OwnerReference[] {
  const { name, uid } = owner.metadata
  return [{ apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true }]
}

export function makeReplicaSet(
  name: string,
  facts: {
    metadata?: Partial<ObjectMeta>
    spec?: Partial<ReplicaSet['spec']>
    status?: Partial<ReplicaSet['status']>
  } = {},
): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: metaOf(name, { generation: 1, ...facts.metadata }),
    spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template: webTemplate('v1'), ...facts.spec },
    status: { replicas: 0, observedGeneration: 1, ...facts.status },
  }
}

export function makeDeployment(
  name: string,
  facts: { metadata?: Partial<ObjectMeta>; spec?: Partial<Deployment['spec']>; status?: Deployment['status'] } = {},
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metaOf(name, { generation: 1, ...facts.metadata }),
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: webTemplate('v1'),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...facts.spec,
    },
    status: facts.status ?? {},
  }
}

export function webTemplate(version: string) {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: `web:${version}` }] } }
}

export function makeNode(
  name: string,
  facts: { metadata?: Partial<ObjectMeta>; spec?: Partial<Node['spec']> } = {},
): Node {
  const { namespace: _clusterScoped, ...metadata } = metaOf(name, facts.metadata)
  return { apiVersion: 'v1', kind: 'Node', metadata, spec: { ...facts.spec }, status: {} }
}
