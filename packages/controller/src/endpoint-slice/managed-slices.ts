/**
 * The EndpointSlices that one of our loops manages, and no other's: found by the Service they are for, and written as a
 * SlicePlan says. A loop asks `isCurrent` before it plans; on an old view it would make the same slices once more.
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { EndpointSlices } from '@dinghy/shared/api/resources'
import type { EndpointSlice } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations } from '../children/expectations.ts'
import { ifPresent } from '../children/if-present.ts'
import { managedByLabel, serviceNameLabel } from './endpoint.ts'
import type { SlicePlan } from './slice-plan.ts'

export class ManagedSlices {
  readonly #informer: Informer<EndpointSlice>
  readonly #manager: string
  readonly #written: Expectations<EndpointSlice>

  /** `manager` is the value of the label endpointslice.kubernetes.io/managed-by. */
  constructor(informer: Informer<EndpointSlice>, manager: string) {
    this.#informer = informer
    this.#manager = manager
    this.#written = new Expectations(informer)
    informer.addIndex(manager, (slice) => this.serviceKeysOf(slice))
  }

  serviceKeysOf({ metadata: { namespace, labels } }: EndpointSlice): string[] {
    const service = labels?.[serviceNameLabel]
    return service && labels[managedByLabel] === this.#manager ? [makeKey(namespace, service)] : []
  }

  of(serviceKey: string): EndpointSlice[] {
    return this.#informer.lister.byIndex(this.#manager, serviceKey)
  }

  /** Whether the cache shows everything that has been written for the Service. */
  isCurrent(serviceKey: string): boolean {
    return this.#written.areMet(serviceKey)
  }

  forget(serviceKey: string): void {
    this.#written.forget(serviceKey)
  }

  async write(serviceKey: string, plan: SlicePlan, { client, signal }: ReconcileContext): Promise<void> {
    for (const draft of plan.create) {
      this.#written.wrote(serviceKey, await client.create(EndpointSlices, draft, {}, signal))
    }
    for (const next of plan.update) {
      this.#written.wrote(serviceKey, await client.update(EndpointSlices, next, {}, signal))
    }
    for (const slice of plan.remove) {
      const { namespace, name } = slice.metadata
      await ifPresent(client.delete(EndpointSlices, { namespace, name }, {}, signal))
      this.#written.deleted(serviceKey, slice)
    }
  }
}
