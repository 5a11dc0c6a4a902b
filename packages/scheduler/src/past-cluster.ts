/**
 * The cluster as it was at one revision, as a snapshot that plugins can be asked about. Everything is listed at that
 * very revision, so all of it belongs together; the API server says 410 when the past does not reach that far.
 */

import { notFound } from '@dinghy/shared/api/errors'
import { keyOf } from '@dinghy/shared/api/keys'
import {
  Namespaces,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  ReplicaSets,
  ReplicationControllers,
  Services,
  StatefulSets,
  StorageClasses,
  type Resource,
} from '@dinghy/shared/api/resources'
import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import type { ApiClient, GetOptions } from '@dinghy/shared/client/api-client'
import { Lister } from '@dinghy/shared/client/lister'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import { SchedulerCache } from './cache.ts'
import { isFinished } from './event-handlers.ts'
import { lookupsIn, type ListerOf } from './lookups.ts'
import { Nominations } from './nominations.ts'
import type { Snapshot } from './snapshot.ts'

const resources: readonly Resource[] = [
  Nodes,
  Pods,
  Namespaces,
  PersistentVolumeClaims,
  PersistentVolumes,
  StorageClasses,
  Services,
  ReplicaSets,
  ReplicationControllers,
  StatefulSets,
]

export interface PastCluster {
  revision: string
  /** The pod, and the cluster without it. */
  pod: Pod
  cluster: Snapshot
}

/** Without a revision: as it is now. Throws NotFound when the pod did not exist then. */
export async function pastCluster(
  { client, log }: { client: ApiClient; log: Logger },
  { namespace, name }: { namespace: string; name: string },
  revision: string | undefined,
  signal?: AbortSignal,
): Promise<PastCluster> {
  // The first list tells which moment "now" is; all others are asked for the same.
  const first = await client.list(Pods, at(revision), signal)
  const moment = revision ?? first.metadata.resourceVersion
  const listers = new Map<Resource, Lister<KubernetesObject>>()
  const lists = resources.map(async (resource) => {
    const lister = new Lister<KubernetesObject>()
    const { items } = resource === Pods ? first : await client.list(resource, at(moment), signal)
    for (const object of items) lister.set(object)
    listers.set(resource, lister)
  })
  await Promise.all(lists)
  // Each lister was filled with the objects of its own resource.
  const listerOf: ListerOf = <T extends KubernetesObject>(resource: Resource<T>) =>
    listers.get(resource) as unknown as Lister<T>
  const pod = listerOf(Pods).get(`${namespace}/${name}`)
  if (pod === undefined) throw notFound(Pods.group, Pods.plural, name)
  return { revision: moment, pod, cluster: snapshotWithout(pod, listerOf, log) }
}

function at(revision: string | undefined): GetOptions {
  return revision === undefined ? {} : { resourceVersion: revision, resourceVersionMatch: 'Exact' }
}

function snapshotWithout(pod: Pod, listerOf: ListerOf, log: Logger): Snapshot {
  const cache = new SchedulerCache({ log })
  const nominations = new Nominations()
  for (const node of listerOf(Nodes).list()) cache.setNode(node)
  for (const other of listerOf(Pods).list()) {
    if (keyOf(other) === keyOf(pod) || isFinished(other)) continue
    if (other.spec.nodeName) cache.setPod(other)
    else nominations.observe(other)
  }
  return cache.snapshot(lookupsIn(listerOf), nominations.byNode())
}
