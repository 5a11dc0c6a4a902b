/**
 * The loop over Services that the EndpointSlice and the Endpoints controller share: a Service is looked at when it
 * changes, when a pod that it selects does (or did until now), and when somebody touches what was written for it.
 */

import { Pods, Services } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import { runController, type Reconciler, type Watch } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from '../deps.ts'
import { servicesOf } from './service-pods.ts'

export interface ServiceLoop {
  name: string
  /** What the loop writes, and whatever else it reads. */
  watches: Watch[]
  reconcile: Reconciler
}

export async function runServiceLoop(
  { client, clock, log, informers }: ControllerDeps,
  { name, watches, reconcile }: ServiceLoop,
  signal: AbortSignal,
): Promise<void> {
  const services = informers.for(Services)
  const ofPod: Watch = [informers.for(Pods), (pod: Pod) => servicesOf(pod, services.lister)]
  await runController(
    { name, client, clock, log, reconciles: services, watches: [ofPod, ...watches], workers: 5, reconcile },
    signal,
  )
}
