/**
 * EndpointSlice: which pods stand behind a Service, kept up to date for every proxy in the cluster.
 *
 * A Service only says *which* pods it means (a selector). This loop writes down where they are, and the proxies read
 * nothing but that. It looks at one Service at a time, whatever happened: the Service changed, one of its pods did, or
 * somebody touched one of its slices. Slices of a deleted Service go with it: they name it as their owner.
 * Services without a selector and slices of other managers are left alone. Only IPv4: that is what pods have here.
 */

import { EndpointSlices, Nodes, Pods, Services } from '@dinghy/shared/api/resources'
import type { EndpointSlice, Node, Pod, Service } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import type { ReconcileContext, Watch } from '@dinghy/shared/reconcile/controller'
import { expectationsRetryMs } from '../children/expectations.ts'
import { requeueAfter, type Requeue } from '../children/requeue.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { managedBy } from './endpoint.ts'
import { ManagedSlices } from './managed-slices.ts'
import { runServiceLoop } from './service-loop.ts'
import { hasOwnEndpoints, podsOf } from './service-pods.ts'
import { planSlices } from './slice-plan.ts'

const name = 'endpointslice-controller'
const unknownNodeRetryMs = 1_000

export class EndpointSliceController implements Controller {
  readonly #deps: ControllerDeps
  readonly #services: Informer<Service>
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #allSlices: Informer<EndpointSlice>
  /** Those of them that are ours. */
  readonly #slices: ManagedSlices

  constructor(deps: ControllerDeps) {
    const { informers } = deps
    this.#deps = deps
    this.#services = informers.for(Services)
    this.#pods = informers.for(Pods)
    this.#nodes = informers.for(Nodes)
    this.#allSlices = informers.for(EndpointSlices)
    this.#slices = new ManagedSlices(this.#allSlices, managedBy)
  }

  async run(signal: AbortSignal): Promise<void> {
    const watches: Watch[] = [
      [this.#allSlices, (slice: EndpointSlice) => this.#slices.serviceKeysOf(slice)],
      // Zones are read when something else happens; only their cache must be there.
      [this.#nodes, () => []],
    ]
    const reconcile = (key: string, context: ReconcileContext): Promise<Requeue> => this.reconcile(key, context)
    await runServiceLoop(this.#deps, { name, watches, reconcile }, signal)
  }

  async reconcile(key: string, context: ReconcileContext): Promise<Requeue> {
    const service = this.#services.lister.get(key)
    if (!service) {
      this.#slices.forget(key)
      return undefined
    }
    if (!hasOwnEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return undefined
    if (!this.#slices.isCurrent(key)) return requeueAfter(expectationsRetryMs)

    const selected = podsOf(service, this.#pods.lister)
    const reachable = selected.filter(({ spec }) => this.#isOnKnownNode(spec.nodeName))
    const plan = planSlices(service, reachable, this.#slices.of(key), (node) => this.#nodes.lister.get(node))
    await this.#slices.write(key, plan, context)
    return requeueAfter(reachable.length < selected.length ? unknownNodeRetryMs : undefined)
  }

  /** A pod on a node that we don't know may be on one that is gone: left out until that is clear. */
  #isOnKnownNode(node: string | undefined): boolean {
    return !node || this.#nodes.lister.get(node) !== undefined
  }
}
