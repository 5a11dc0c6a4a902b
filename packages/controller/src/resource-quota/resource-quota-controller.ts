/**
 * ResourceQuota: shows in a quota's status what is used of what it allows. Only shows: that nobody gets more is the
 * api-server's admission, which counts for itself, by the same rules (shared/api/quota-usage.ts).
 *
 * The kinds that quotas are mostly about are watched. Others, which `count/…` may name, custom ones among them, are asked
 * for and counted again now and then. Follows pkg/controller/resourcequota, which watches everything there is.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { countedFor, quotaUsage, type CountedResource, type Quantities } from '@dinghy/shared/api/quota-usage'
import {
  ConfigMaps,
  CronJobs,
  DaemonSets,
  Deployments,
  Jobs,
  PersistentVolumeClaims,
  Pods,
  ReplicaSets,
  ReplicationControllers,
  ResourceQuotas,
  Secrets,
  Services,
  StatefulSets,
  type Resource,
} from '@dinghy/shared/api/resources'
import type { KubernetesObject, ResourceQuota } from '@dinghy/shared/api/types'
import { discover } from '@dinghy/shared/client/discovery'
import { runController, type ReconcileContext, type Watch } from '@dinghy/shared/reconcile/controller'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'

const name = 'resourcequota-controller'
const recountMs = 10_000

const watched: Resource[] = [
  Pods,
  Services,
  PersistentVolumeClaims,
  ConfigMaps,
  Secrets,
  ResourceQuotas,
  ReplicationControllers,
  ReplicaSets,
  Deployments,
  StatefulSets,
  DaemonSets,
  Jobs,
  CronJobs,
]

export async function startResourceQuotaController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, client, clock, log } = deps
  const quotas = informers.for(ResourceQuotas)

  async function reconcile(key: string, context: ReconcileContext) {
    const quota = quotas.lister.get(key)
    if (!quota || quota.metadata.deletionTimestamp !== undefined) return undefined
    const { hard = {} } = quota.spec
    const resources = countedBy(hard)
    const used: Quantities = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']))
    for (const resource of resources) {
      Object.assign(used, quotaUsage(quota, resource, await objectsOf(resource, quota, context)))
    }
    const status = { hard, used }
    if (!isSemanticallyEqual(status, quota.status)) {
      await context.client.update(ResourceQuotas, { ...quota, status }, { subresource: 'status' }, context.signal)
    }
    return resources.every(findWatched) ? undefined : { requeueAfterMs: recountMs }
  }

  async function objectsOf(
    counted: CountedResource,
    { metadata: { namespace = '' } }: ResourceQuota,
    { client, signal }: ReconcileContext,
  ): Promise<KubernetesObject[]> {
    const cached = findWatched(counted)
    if (cached) return informers.for(cached).lister.list({ namespace })
    const served = (await discover(client, signal)).find((one) => isSame(one, counted))
    // What the server does not know, or does not keep in namespaces, there is none of.
    return served?.namespaced ? (await client.list(served, { namespace }, signal)).items : []
  }

  const quotasBeside = ({ metadata: { namespace } }: KubernetesObject) => quotas.lister.list({ namespace }).map(keyOf)
  const watches = watched.map((resource): Watch => [informers.for(resource), quotasBeside])
  await runController({ name, client, clock, log, reconciles: quotas, watches, reconcile }, signal)
}

/** The resources that have to be counted, each once. */
function countedBy(hard: Record<string, string>): CountedResource[] {
  const all = Object.keys(hard).map(countedFor)
  return all.filter((one, index) => all.findIndex((other) => isSame(one, other)) === index)
}

function findWatched(counted: CountedResource): Resource | undefined {
  return watched.find((resource) => isSame(resource, counted))
}

function isSame(a: CountedResource, b: CountedResource): boolean {
  return a.group === b.group && a.plural === b.plural
}
