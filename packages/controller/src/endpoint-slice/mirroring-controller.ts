/**
 * EndpointSlice mirroring: copies hand-written Endpoints of Services without a selector into EndpointSlices
 * (mirror-plan.ts). The slices are owned by the Endpoints and go with them.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { EndpointSlices, EndpointsResource, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { expectationsRetryMs } from '../children/expectations.ts'
import type { ControllerDeps } from '../deps.ts'
import { ManagedSlices } from './managed-slices.ts'
import { isMirrored, mirroredBy, planMirror } from './mirror-plan.ts'

const name = 'endpointslicemirroring-controller'

export async function startEndpointSliceMirroringController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const endpoints = informers.for(EndpointsResource)
  const services = informers.for(Services)
  const slices = new ManagedSlices(informers.for(EndpointSlices), deps.client.as(name), mirroredBy)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    if (!slices.isCurrent(key)) return { requeueAfterMs: expectationsRetryMs }
    const source = endpoints.lister.get(key)
    const existing = slices.of(key)
    const isWanted = source !== undefined && isMirrored(source, services.lister.get(key))
    await slices.write(
      key,
      isWanted ? planMirror(source, existing) : { create: [], update: [], remove: existing },
      signal,
    )
    return undefined
  }

  await runController(
    {
      name,
      client: deps.client,
      clock,
      log,
      reconciles: endpoints,
      watches: [
        [services, (service: Service) => [keyOf(service)]],
        [informers.for(EndpointSlices), (slice: EndpointSlice) => slices.serviceKeysOf(slice)],
      ],
      reconcile,
    },
    signal,
  )
}
