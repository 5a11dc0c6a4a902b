/**
 * EndpointSlice: which pods stand behind a Service, kept up to date for every proxy in the cluster.
 *
 * A Service only says *which* pods it means (a selector). This loop writes down where they are, and the proxies read
 * nothing but that. It looks at one Service at a time, whatever happened: the Service changed, one of its pods did, or
 * somebody touched one of its slices. Slices of a deleted Service go with it: they name it as their owner.
 * Services without a selector and slices of other managers are left alone. Only IPv4: that is what pods have here.
 */

import { EndpointSlices, Nodes, Pods, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Pod, Service } from '@dinghy/shared/api/types'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { expectationsRetryMs } from '../children/expectations.ts'
import type { ControllerDeps } from '../deps.ts'
import { managedBy } from './endpoint.ts'
import { ManagedSlices } from './managed-slices.ts'
import { runServiceLoop } from './service-loop.ts'
import { hasOwnEndpoints, podsOf } from './service-pods.ts'
import { planSlices } from './slice-plan.ts'

const name = 'endpointslice-controller'
const unknownNodeRetryMs = 1_000

export async function startEndpointSliceController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers } = deps
  const services = informers.for(Services)
  const pods = informers.for(Pods)
  const nodes = informers.for(Nodes)
  const slices = new ManagedSlices(informers.for(EndpointSlices), deps.client.as(name), managedBy)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const service = services.lister.get(key)
    if (!service) return slices.forget(key)
    if (!hasOwnEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return
    if (!slices.isCurrent(key)) return { requeueAfterMs: expectationsRetryMs }

    const { reachable, hasUnknownNode } = reachablePods(service)
    const plan = planSlices(service, reachable, slices.of(key), (node) => nodes.lister.get(node))
    await slices.write(key, plan, signal)
    return hasUnknownNode ? { requeueAfterMs: unknownNodeRetryMs } : undefined
  }

  /** A pod on a node that we don't know may be on one that is gone: left out until that is clear. */
  function reachablePods(service: Service): { reachable: Pod[]; hasUnknownNode: boolean } {
    const selected = podsOf(service, pods.lister)
    const isKnown = (node: string | undefined) => !node || nodes.lister.get(node) !== undefined
    const reachable = selected.filter((pod) => isKnown(pod.spec.nodeName))
    return { reachable, hasUnknownNode: reachable.length < selected.length }
  }

  await runServiceLoop(
    deps,
    {
      name,
      watches: [
        [informers.for(EndpointSlices), (slice: EndpointSlice) => slices.serviceKeysOf(slice)],
        // Zones are read when something else happens; only their cache must be there.
        [nodes, () => []],
      ],
      reconcile,
    },
    signal,
  )
}
