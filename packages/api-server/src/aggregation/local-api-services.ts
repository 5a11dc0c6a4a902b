/**
 * The APIServices of what this server answers itself. They say nothing that a client could not discover; `kubectl get
 * apiservices` shows them beside those of other servers, in the order in which discovery does.
 */

import { randomUUID } from 'node:crypto'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { keyPrefix, objectKey } from '../registry/object-key.ts'
import type { Storage } from '../storage/storage.ts'
import { type APIService, APIServices, local, withAvailability } from './api-service.ts'

export interface GroupVersion {
  group: string
  version: string
}

type Unwritten<T extends KubernetesObject> = Omit<T, 'metadata'> & { metadata: Partial<T['metadata']> }

/** Upstream's numbers: cmd/kube-apiserver/app/aggregator.go and pkg/controlplane/apiserver/aggregator.go. */
const groupPriorities: Record<string, number> = {
  '': 18000,
  apps: 17800,
  'events.k8s.io': 17750,
  'authentication.k8s.io': 17700,
  'authorization.k8s.io': 17600,
  autoscaling: 17500,
  batch: 17400,
  'certificates.k8s.io': 17300,
  'networking.k8s.io': 17200,
  policy: 17100,
  'rbac.authorization.k8s.io': 17000,
  'storage.k8s.io': 16800,
  'apiextensions.k8s.io': 16700,
  'admissionregistration.k8s.io': 16700,
  'scheduling.k8s.io': 16600,
  'coordination.k8s.io': 16500,
  'node.k8s.io': 16300,
  'discovery.k8s.io': 16200,
  'flowcontrol.apiserver.k8s.io': 16100,
}
const versionPriorities: Record<string, number> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
}
const customGroupPriority = 1000
const customVersionPriority = 100

const managedLabel = 'kube-aggregator.kubernetes.io/automanaged'

/** Built-in groups are registered once, at start; others come and go with their definitions. */
function isBuiltIn({ group }: GroupVersion): boolean {
  return Object.hasOwn(groupPriorities, group)
}

/** Storage gives it its resourceVersion. */
function localApiService({ group, version }: GroupVersion, now: string): Unwritten<APIService> {
  const builtIn = isBuiltIn({ group, version })
  const ownPriority = versionPriorities[`${group}/${version}`] ?? 15
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      uid: randomUUID(),
      creationTimestamp: now,
      labels: { [managedLabel]: builtIn ? 'onstart' : 'true' },
    },
    spec: {
      ...(group ? { group } : {}),
      version,
      groupPriorityMinimum: groupPriorities[group] ?? customGroupPriority,
      versionPriority: builtIn ? ownPriority : customVersionPriority,
    },
    status: { conditions: withAvailability([], local, now) ?? [] },
  }
}

/**
 * Registers every group and version that has no APIService yet, and takes those away that only stood for what is gone.
 * All in one write, past admission: these objects are this server's own.
 */
export async function registerLocal(storage: Storage, served: readonly GroupVersion[], nowMs: number): Promise<void> {
  const entries = new Map(
    storage.list(keyPrefix(APIServices)).entries.map((entry) => [entry.object.metadata.name ?? '', entry]),
  )
  const wanted = new Map(served.map((one) => [`${one.version}.${one.group}`, one]))
  const missing = [...wanted].filter(([name]) => !entries.has(name))
  const gone = [...entries].filter(
    ([name, { object }]) => object.metadata.labels?.[managedLabel] === 'true' && !wanted.has(name),
  )
  const mutations = [
    ...missing.map(([name, one]) => ({
      key: objectKey(APIServices, undefined, name),
      expected: 0,
      object: localApiService(one, rfc3339(nowMs)) as unknown as KubernetesObject,
    })),
    ...gone.map(([, entry]) => ({
      key: entry.key,
      expected: entry.revision,
      object: entry.copy(),
      deleted: true,
    })),
  ]
  if (mutations.length > 0) await storage.write(mutations.map((mutation) => ({ ...mutation, actor: 'api-server' })))
}
