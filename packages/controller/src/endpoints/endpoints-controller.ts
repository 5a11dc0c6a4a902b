/**
 * Endpoints: the same facts as the EndpointSlices of a Service, in the form that older clients read. `kubectl get
 * endpoints` shows it; nothing in this cluster depends on it.
 *
 * The object has the Service's name and no owner, so it has to be removed here when the Service is gone. Only an object
 * that carries our label is: upstream also removes one that a user wrote, and it might be meant for a Service to come.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { EndpointsResource, Pods, Services } from '@dinghy/shared/api/resources'
import type { Endpoints, Pod, Service } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import type { ReconcileContext, Watch } from '@dinghy/shared/reconcile/controller'
import { Expectations, expectationsRetryMs } from '../children/expectations.ts'
import { ifPresent } from '../children/if-present.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import { isSemanticallyEqual } from '../children/semantic-equal.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { runServiceLoop } from '../endpoint-slice/service-loop.ts'
import { hasOwnEndpoints, podsOf } from '../endpoint-slice/service-pods.ts'
import { endpointsLabels, managedBy, managedByLabel, overCapacityAnnotation, subsetsOf, truncated } from './subsets.ts'

const name = 'endpoint-controller'

export class EndpointsController implements Controller {
  readonly #deps: ControllerDeps
  readonly #services: Informer<Service>
  readonly #pods: Informer<Pod>
  readonly #endpoints: Informer<Endpoints>
  readonly #expectations: Expectations<Endpoints>

  constructor(deps: ControllerDeps) {
    const { informers } = deps
    this.#deps = deps
    this.#services = informers.for(Services)
    this.#pods = informers.for(Pods)
    this.#endpoints = informers.for(EndpointsResource)
    this.#expectations = new Expectations(this.#endpoints)
  }

  async run(signal: AbortSignal): Promise<void> {
    const watches: Watch[] = [[this.#endpoints, (one: Endpoints) => [keyOf(one)]]]
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    await runServiceLoop(this.#deps, { name, watches, reconcile }, signal)
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const service = this.#services.lister.get(key)
    const current = this.#endpoints.lister.get(key)
    if (!service) {
      this.#expectations.forget(key)
      if (current) await removeOurs(current, context)
      return undefined
    }
    if (!hasOwnEndpoints(service)) return undefined
    if (!this.#expectations.areMet(key)) return requeueAfter(expectationsRetryMs)
    const written = await writeEndpoints(service, podsOf(service, this.#pods.lister), current, context)
    if (written) this.#expectations.wrote(key, written)
    return undefined
  }
}

/** undefined if there was nothing to write. */
async function writeEndpoints(
  service: Service,
  pods: Pod[],
  current: Endpoints | undefined,
  { client, signal }: ReconcileContext,
): Promise<Endpoints | undefined> {
  const { subsets, isCut } = truncated(subsetsOf(service, pods))
  const { [overCapacityAnnotation]: _before, ...others } = current?.metadata.annotations ?? {}
  const annotations = isCut ? { ...others, [overCapacityAnnotation]: 'truncated' } : others
  const labels = endpointsLabels(service)
  if (!current) {
    const { name, namespace } = service.metadata
    const metadata = { name, namespace: namespace ?? '', labels, annotations }
    return await client.create(EndpointsResource, { metadata, subsets }, {}, signal)
  }
  const isSame =
    isSemanticallyEqual(current.subsets, subsets) &&
    isSemanticallyEqual(current.metadata.labels, labels) &&
    isSemanticallyEqual(current.metadata.annotations ?? {}, annotations)
  if (isSame) return undefined
  const metadata = { ...current.metadata, labels, annotations }
  return await client.update(EndpointsResource, { ...current, metadata, subsets }, {}, signal)
}

async function removeOurs({ metadata }: Endpoints, { client, signal }: ReconcileContext): Promise<void> {
  const { namespace, name, uid, labels } = metadata
  if (labels?.[managedByLabel] !== managedBy) return
  await ifPresent(client.delete(EndpointsResource, { namespace, name }, { preconditions: { uid } }, signal))
}
