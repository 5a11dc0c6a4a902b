/**
 * EndpointSlice: which pods stand behind a Service, kept up to date for every proxy in the cluster.
 *
 * A Service only says *which* pods it means (a selector). This loop writes down where they are, and the proxies read
 * nothing but that. It looks at one Service at a time, whatever happened: the Service changed, one of its pods did, or
 * somebody touched one of its slices. Slices of a deleted Service go with it: they name it as their owner.
 * Services without a selector and slices of other managers are left alone. Only IPv4: that is what pods have here.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { makeKey } from '@dinghy/shared/api/keys'
import { EndpointSlices, Nodes, Pods, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Pod, Service } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import type { ControllerDeps } from '../deps.ts'
import { managedBy, managedByLabel, serviceNameLabel } from './endpoint.ts'
import { hasOwnEndpoints, podsOf, servicesOf } from './service-pods.ts'
import { planSlices } from './slice-plan.ts'

const name = 'endpointslice-controller'
const serviceIndex = 'managed-by-us-for-service'
const unknownNodeRetryMs = 1_000

export async function startEndpointSliceController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const services = informers.for(Services)
  const pods = informers.for(Pods)
  const nodes = informers.for(Nodes)
  const slices = informers.for(EndpointSlices)
  slices.addIndex(serviceIndex, serviceKeysOf)
  const expectations = new Expectations(slices)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const service = services.lister.get(key)
    if (!service) return expectations.forget(key)
    if (!hasOwnEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return
    if (!expectations.areMet(key)) return { requeueAfterMs: expectationsRetryMs }

    const { reachable, hasUnknownNode } = reachablePods(service)
    const existing = slices.lister.byIndex(serviceIndex, key)
    const plan = planSlices(service, reachable, existing, (node) => nodes.lister.get(node))
    for (const draft of plan.create) expectations.wrote(key, await client.create(EndpointSlices, draft, {}, signal))
    for (const next of plan.update) expectations.wrote(key, await client.update(EndpointSlices, next, {}, signal))
    for (const slice of plan.remove) {
      await removeSlice(slice, signal)
      expectations.deleted(key, slice)
    }
    return hasUnknownNode ? { requeueAfterMs: unknownNodeRetryMs } : undefined
  }

  /** A pod on a node that we don't know may be on one that is gone: left out until that is clear. */
  function reachablePods(service: Service): { reachable: Pod[]; hasUnknownNode: boolean } {
    const selected = podsOf(service, pods.lister)
    const isKnown = (node: string | undefined) => !node || nodes.lister.get(node) !== undefined
    const reachable = selected.filter((pod) => isKnown(pod.spec.nodeName))
    return { reachable, hasUnknownNode: reachable.length < selected.length }
  }

  async function removeSlice({ metadata: { namespace, name } }: EndpointSlice, signal: AbortSignal): Promise<void> {
    try {
      await client.delete(EndpointSlices, { namespace, name }, {}, signal)
    } catch (error) {
      // Already gone is what we want.
      if (!hasReason(error, 'NotFound')) throw error
    }
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: services,
      watches: [
        [pods, (pod: Pod) => servicesOf(pod, services.lister)],
        [slices, serviceKeysOf],
        // Zones are read when something else happens; only their cache must be there.
        [nodes, () => []],
      ],
      workers: 5,
      reconcile,
    },
    signal,
  )
}

function serviceKeysOf({ metadata: { namespace, labels } }: EndpointSlice): string[] {
  const service = labels?.[serviceNameLabel]
  return service && labels[managedByLabel] === managedBy ? [makeKey(namespace, service)] : []
}
