/**
 * EndpointSlice mirroring: copies hand-written Endpoints of Services without a selector into EndpointSlices
 * (mirror-plan.ts). The slices are owned by the Endpoints and go with them.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { keyOf, makeKey } from '@dinghy/shared/api/keys'
import { EndpointSlices, EndpointsResource, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Service } from '@dinghy/shared/api/types'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import type { ControllerDeps } from '../deps.ts'
import { managedByLabel, serviceNameLabel } from './endpoint.ts'
import { isMirrored, mirroredBy, planMirror } from './mirror-plan.ts'
import type { SlicePlan } from './slice-plan.ts'

const name = 'endpointslicemirroring-controller'
const mirrorIndex = 'mirrored-for-service'

export async function startEndpointSliceMirroringController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = deps
  const client = deps.client.as(name)
  const endpoints = informers.for(EndpointsResource)
  const services = informers.for(Services)
  const slices = informers.for(EndpointSlices)
  slices.addIndex(mirrorIndex, serviceKeysOf)
  const expectations = new Expectations(slices)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    if (!expectations.areMet(key)) return { requeueAfterMs: expectationsRetryMs }
    const source = endpoints.lister.get(key)
    const existing = slices.lister.byIndex(mirrorIndex, key)
    const isWanted = source !== undefined && isMirrored(source, services.lister.get(key))
    const plan: SlicePlan = isWanted ? planMirror(source, existing) : { create: [], update: [], remove: existing }
    for (const draft of plan.create) expectations.wrote(key, await client.create(EndpointSlices, draft, {}, signal))
    for (const next of plan.update) expectations.wrote(key, await client.update(EndpointSlices, next, {}, signal))
    for (const slice of plan.remove) {
      await removeSlice(slice, signal)
      expectations.deleted(key, slice)
    }
    return undefined
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
      reconciles: endpoints,
      watches: [
        [services, (service: Service) => [keyOf(service)]],
        [slices, serviceKeysOf],
      ],
      reconcile,
    },
    signal,
  )
}

function serviceKeysOf({ metadata: { namespace, labels } }: EndpointSlice): string[] {
  const service = labels?.[serviceNameLabel]
  return service && labels[managedByLabel] === mirroredBy ? [makeKey(namespace, service)] : []
}
