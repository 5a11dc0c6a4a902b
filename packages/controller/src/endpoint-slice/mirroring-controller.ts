/**
 * EndpointSlice mirroring: copies hand-written Endpoints of Services without a selector into EndpointSlices
 * (mirror-plan.ts). The slices are owned by the Endpoints and go with them.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { EndpointSlices, EndpointsResource, Services } from '@dinghy/shared/api/resources'
import type { Endpoints, EndpointSlice, Service } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { expectationsRetryMs } from '../children/expectations.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { ManagedSlices } from './managed-slices.ts'
import { isMirrored, mirroredBy, planMirror } from './mirror-plan.ts'

const name = 'endpointslicemirroring-controller'

export class EndpointSliceMirroringController implements Controller {
  readonly #deps: ControllerDeps
  readonly #endpoints: Informer<Endpoints>
  readonly #services: Informer<Service>
  readonly #allSlices: Informer<EndpointSlice>
  /** Those of them that are ours. */
  readonly #slices: ManagedSlices

  constructor(deps: ControllerDeps) {
    const { informers } = deps
    this.#deps = deps
    this.#endpoints = informers.for(EndpointsResource)
    this.#services = informers.for(Services)
    this.#allSlices = informers.for(EndpointSlices)
    this.#slices = new ManagedSlices(this.#allSlices, mirroredBy)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name,
        reconciles: this.#endpoints,
        watches: [
          [this.#services, (service: Service) => [keyOf(service)]],
          [this.#allSlices, (slice: EndpointSlice) => this.#slices.serviceKeysOf(slice)],
        ],
        reconcile: (key, context) => this.reconcile(key, context),
      },
      signal,
    )
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    if (!this.#slices.isCurrent(key)) return requeueAfter(expectationsRetryMs)
    const source = this.#endpoints.lister.get(key)
    const existing = this.#slices.of(key)
    const isWanted = source !== undefined && isMirrored(source, this.#services.lister.get(key))
    const plan = isWanted ? planMirror(source, existing) : { create: [], update: [], remove: existing }
    await this.#slices.write(key, plan, context)
    return undefined
  }
}
