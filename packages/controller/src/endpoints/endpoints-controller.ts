/**
 * Endpoints: the same facts as the EndpointSlices of a Service, in the form that older clients read. `kubectl get
 * endpoints` shows it; nothing in this cluster depends on it.
 *
 * The object has the Service's name and no owner, so it has to be removed here when the Service is gone. Only an object
 * that carries our label is: upstream also removes one that a user wrote, and it might be meant for a Service to come.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { EndpointsResource, Pods, Services } from '@dinghy/shared/api/resources'
import type { Endpoints, Service } from '@dinghy/shared/api/types'
import type { ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { ifPresent } from '../children/if-present.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { ControllerDeps } from '../deps.ts'
import { runServiceLoop } from '../endpoint-slice/service-loop.ts'
import { hasOwnEndpoints, podsOf } from '../endpoint-slice/service-pods.ts'
import { endpointsLabels, managedBy, managedByLabel, overCapacityAnnotation, subsetsOf, truncated } from './subsets.ts'

const name = 'endpoint-controller'

export async function startEndpointsController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const { informers } = deps
  const client = deps.client.as(name)
  const services = informers.for(Services)
  const pods = informers.for(Pods)
  const endpoints = informers.for(EndpointsResource)
  const expectations = new Expectations(endpoints)

  async function reconcile(key: string, { signal }: ReconcileContext) {
    const service = services.lister.get(key)
    const current = endpoints.lister.get(key)
    if (!service) {
      expectations.forget(key)
      if (current) await removeOurs(current, signal)
      return undefined
    }
    if (!hasOwnEndpoints(service)) return undefined
    if (!expectations.areMet(key)) return { requeueAfterMs: expectationsRetryMs }
    await write(service, current, signal)
    return undefined
  }

  async function write(service: Service, current: Endpoints | undefined, signal: AbortSignal): Promise<void> {
    const { subsets, isCut } = truncated(subsetsOf(service, podsOf(service, pods.lister)))
    const { [overCapacityAnnotation]: _before, ...others } = current?.metadata.annotations ?? {}
    const annotations = isCut ? { ...others, [overCapacityAnnotation]: 'truncated' } : others
    const labels = endpointsLabels(service)
    if (!current) {
      const { name, namespace } = service.metadata
      const metadata = { name, namespace: namespace ?? '', labels, annotations }
      expectations.wrote(keyOf(service), await client.create(EndpointsResource, { metadata, subsets }, {}, signal))
      return
    }
    const isSame =
      isSemanticallyEqual(current.subsets, subsets) &&
      isSemanticallyEqual(current.metadata.labels, labels) &&
      isSemanticallyEqual(current.metadata.annotations ?? {}, annotations)
    if (isSame) return
    const metadata = { ...current.metadata, labels, annotations }
    const written = await client.update(EndpointsResource, { ...current, metadata, subsets }, {}, signal)
    expectations.wrote(keyOf(service), written)
  }

  async function removeOurs({ metadata }: Endpoints, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid, labels } = metadata
    if (labels?.[managedByLabel] !== managedBy) return
    await ifPresent(client.delete(EndpointsResource, { namespace, name }, { preconditions: { uid } }, signal))
  }

  await runServiceLoop(deps, { name, watches: [[endpoints, (one: Endpoints) => [keyOf(one)]]], reconcile }, signal)
}
