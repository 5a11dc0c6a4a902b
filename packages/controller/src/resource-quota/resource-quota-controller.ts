/**
 * ResourceQuota: shows in a quota's status what is used of what it allows. Only shows: that nobody gets more is the
 * api-server's admission, which counts for itself, by the same rules (shared/api/quota-usage.ts).
 *
 * The kinds that quotas are mostly about are watched. Others, which `count/…` may name, custom ones among them, are
 * asked for and counted again now and then. Follows pkg/controller/resourcequota, which watches everything there is.
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
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext, type Watch } from '@dinghy/shared/reconcile/controller'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'

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

export class ResourceQuotaController implements Controller {
  readonly #deps: ControllerDeps
  readonly #quotas: Informer<ResourceQuota>
  readonly #watched: readonly Informer<KubernetesObject>[]

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#quotas = deps.informers.for(ResourceQuotas)
    this.#watched = watched.map((resource) => deps.informers.for(resource))
  }

  async run(signal: AbortSignal): Promise<void> {
    const quotasBeside = ({ metadata: { namespace } }: KubernetesObject): string[] =>
      this.#quotas.lister.list({ namespace }).map(keyOf)
    await runController(
      {
        ...this.#deps,
        name: 'resourcequota-controller',
        reconciles: this.#quotas,
        watches: this.#watched.map((informer): Watch => [informer, quotasBeside]),
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const quota = this.#quotas.lister.get(key)
    if (!quota || quota.metadata.deletionTimestamp !== undefined) return undefined
    const { hard = {} } = quota.spec
    const resources = countedBy(hard)
    const used: Quantities = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']))
    for (const resource of resources) {
      Object.assign(used, quotaUsage(quota, resource, await this.#objectsOf(resource, quota, context)))
    }
    await writeStatus(ResourceQuotas, quota, { ...quota.status, hard, used }, context)
    return requeueAfter(resources.every((resource) => this.#informerOf(resource)) ? undefined : recountMs)
  }

  async #objectsOf(
    counted: CountedResource,
    { metadata: { namespace = '' } }: ResourceQuota,
    { client, signal }: ReconcileContext,
  ): Promise<KubernetesObject[]> {
    const cached = this.#informerOf(counted)
    if (cached) return cached.lister.list({ namespace })
    const served = (await discover(client, signal)).find((one) => isSame(one, counted))
    // What the server does not know, or does not keep in namespaces, there is none of.
    return served?.namespaced ? (await client.list(served, { namespace }, signal)).items : []
  }

  #informerOf(counted: CountedResource): Informer<KubernetesObject> | undefined {
    return this.#watched.find(({ resource }) => isSame(resource, counted))
  }
}

/** The resources that have to be counted, each once. */
function countedBy(hard: Record<string, string>): CountedResource[] {
  const all = Object.keys(hard).map(countedFor)
  return all.filter((one, index) => all.findIndex((other) => isSame(one, other)) === index)
}

function isSame(a: CountedResource, b: CountedResource): boolean {
  return a.group === b.group && a.plural === b.plural
}
