/**
 * The service controller: gives every Service of type LoadBalancer an address, in `status.loadBalancer`, and takes it
 * back. Upstream's (staging/src/k8s.io/cloud-provider/controllers/service) asks a cloud for it; here the cloud is a
 * pool of addresses on the network between the nodes (--load-balancer-pool), whose traffic every node's proxy
 * understands.
 *
 * As upstream: a Service with a `loadBalancerClass` is somebody else's; a finalizer keeps a Service until its address
 * has been taken back, also when its type changes; events tell of it. Without a pool there is nothing to do, and the
 * address stays pending. One worker, because two Services must not find the same address free.
 */

import { keyOf } from '@dinghy/shared/api/keys'
import { Services } from '@dinghy/shared/api/resources'
import type { Service } from '@dinghy/shared/api/types'
import { EventRecorder } from '@dinghy/shared/client/events'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import { writeStatus } from '../children/status.ts'
import type { Controller, ControllerDeps } from '../deps.ts'
import { chooseAddress } from './address-pool.ts'

const name = 'service-controller'
export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup'
/** An address may become free without a word to those who wait for one. */
const retryMs = 5_000

export class ServiceLoadBalancerController implements Controller {
  readonly #deps: ControllerDeps
  readonly #services: Informer<Service>
  readonly #events: EventRecorder
  /** What was given away and may not be in the cache yet. */
  readonly #given = new Map<string, string>()

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#services = deps.informers.for(Services)
    const { clock, log } = deps
    this.#events = new EventRecorder(deps.client.as(name), { component: name, clock, log })
  }

  async run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string, context: ReconcileContext) => this.reconcile(key, context)
    await runController({ ...this.#deps, name, workers: 1, reconciles: this.#services, reconcile }, signal)
    this.#events.stop()
  }

  async reconcile(key: string, context: ReconcileContext): Promise<{ requeueAfterMs: number } | void> {
    const pool = this.#deps.flags.loadBalancerPool
    const service = this.#services.lister.get(key)
    if (!service || !pool) {
      this.#given.delete(key)
      return
    }
    if (!wantsAddress(service)) return await this.#takeBack(service, context)

    const wish = { wanted: service.spec.loadBalancerIP, present: this.#given.get(key) ?? addressOf(service) }
    const choice = chooseAddress(pool, wish, this.#takenByOthers(service))
    if ('refused' in choice) {
      const message = `Error syncing load balancer: failed to ensure load balancer: ${choice.refused}`
      this.#events.event(service, 'Warning', 'SyncLoadBalancerFailed', message)
      this.#given.delete(key)
      await writeStatus(Services, service, withAddress(service, undefined), context)
      return { requeueAfterMs: retryMs }
    }
    const isNew = addressOf(service) !== choice.address
    if (isNew) this.#events.event(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer')
    this.#given.set(key, choice.address)
    const held = isHeld(service) ? service : await setHeld(service, true, context)
    await writeStatus(Services, held, withAddress(held, choice.address), context)
    if (isNew) this.#events.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer')
  }

  async #takeBack(service: Service, context: ReconcileContext): Promise<void> {
    this.#given.delete(keyOf(service))
    if (!isHeld(service)) return
    this.#events.event(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer')
    const emptied = await writeStatus(Services, service, withAddress(service, undefined), context)
    await setHeld(emptied, false, context)
    this.#events.event(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer')
  }

  #takenByOthers(service: Service): Set<string> {
    const key = keyOf(service)
    const others = this.#services.lister.list().filter((other) => keyOf(other) !== key && mayKeep(other, service))
    const given = [...this.#given].filter(([owner]) => owner !== key).map(([, address]) => address)
    return new Set([...given, ...others.flatMap((other) => addressOf(other) ?? [])])
  }
}

/** Of two Services with one address the older keeps it; a status that a person wrote is no claim of a newer one. */
function mayKeep(other: Service, service: Service): boolean {
  if (addressOf(other) !== addressOf(service)) return true
  const [a, b] = [other.metadata, service.metadata]
  return `${a.creationTimestamp} ${a.uid}` < `${b.creationTimestamp} ${b.uid}`
}

function wantsAddress({ metadata, spec }: Service): boolean {
  const isOurs = spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined
  return isOurs && metadata.deletionTimestamp === undefined
}

function addressOf({ status }: Service): string | undefined {
  return status.loadBalancer?.ingress?.[0]?.ip
}

function withAddress(service: Service, address: string | undefined): Service['status'] {
  const ingress = address === undefined ? {} : { ingress: [{ ip: address, ipMode: 'VIP' }] }
  return { ...service.status, loadBalancer: ingress }
}

function isHeld({ metadata }: Service): boolean {
  return metadata.finalizers?.includes(cleanupFinalizer) === true
}

async function setHeld(service: Service, isWanted: boolean, { client, signal }: ReconcileContext): Promise<Service> {
  const others = (service.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer)
  const finalizers = isWanted ? [...others, cleanupFinalizer] : others
  return await client.update(Services, { ...service, metadata: { ...service.metadata, finalizers } }, {}, signal)
}
