/**
 * IngressController: from objects to what is served, and back into their statuses.
 *
 *   any change ─► "model" ─► clusterModel (pure) ─► ports, certificates, route table
 *                               └─► an object whose status is not what it should be ─► "KIND ns/name" ─► write
 *   endpoints ─► Backends, past this queue: a pod that leaves must leave at once
 *
 * One queue, so that `dinghy pause ingress` holds the routes as they are while requests go on. As long as nothing wants
 * to be served there is only the idle view (cluster-view.ts) and no port is open.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { type Resource, Ingresses } from '@dinghy/shared/api/resources'
import { nowRfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import { currentCause } from '@dinghy/shared/client/causality'
import type { EventRecorder } from '@dinghy/shared/client/events'
import type { Informers } from '@dinghy/shared/client/informer'
import type { Logger } from '@dinghy/shared/process/logger'
import { type ChangeSource, type ReconcileContext, runWorkers } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { type ClusterModel, clusterModel, isOurClass } from './cluster-model.ts'
import { type FullView, fullView, type IdleView, idleView, objectsOf, serviceKeysOf } from './cluster-view.ts'
import { gatewayClassStatus, gatewayStatus, routeStatus } from './gateway/conditions.ts'
import { GatewayClasses, Gateways, GrpcRoutes, HttpRoutes } from './gateway/types.ts'
import { isOurs } from './routing/ingress-routes.ts'
import { ingressProblems, ingressStatus } from './status/ingress-status.ts'

export const ingressControllerName = 'ingress-controller'

/** What the rest of the process does for it. */
export interface Serving {
  /** Begins to serve what it is shown from now on; called once, when there is something to serve. */
  begin(view: FullView): void
  show(model: ClusterModel): Promise<void>
  serviceChanged(key: string): void
  portProblem(port: number): string | undefined
  certificateProblem(secretKey: string): string | undefined
}

export interface IngressControllerDeps {
  client: ApiClient
  informers: Informers
  recorder: EventRecorder
  clock: Clock
  log: Logger
  serving: Serving
  /** What stands in statuses. */
  publishAddresses: readonly string[]
}

type WithStatus = KubernetesObject & { status: unknown }

/** A status that is to be written. */
interface Due {
  resource: Resource<WithStatus>
  object: WithStatus
  status: unknown
}

const modelKey = 'model'

export class IngressController {
  readonly #deps: IngressControllerDeps
  readonly #queue: WorkQueue
  readonly #idle: IdleView
  #full: FullView | undefined
  #model: ClusterModel | undefined
  /** What each Ingress has been told by events, so that nothing is told twice. */
  readonly #told = new Map<string, string>()

  constructor(deps: IngressControllerDeps) {
    this.#deps = deps
    this.#queue = new WorkQueue({ clock: deps.clock })
    this.#idle = idleView(deps.informers)
    for (const informer of Object.values(this.#idle)) this.#watch(informer)
  }

  hasSynced(): boolean {
    return Object.values(this.#full ?? this.#idle).every((informer) => informer.hasSynced())
  }

  get model(): ClusterModel | undefined {
    return this.#model
  }

  /** Whether a port can be had is something that statuses tell. */
  portsChanged(): void {
    this.#queue.add(modelKey)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#deps
    const ready = Promise.all(Object.values(this.#idle).map((informer) => informer.synced()))
    const reconcile = (key: string, context: ReconcileContext) => this.reconcile(key, context)
    this.#queue.add(modelKey)
    await runWorkers({ name: ingressControllerName, client, clock, log, reconcile }, this.#queue, ready, signal)
  }

  async reconcile(key: string, { client, signal }: Pick<ReconcileContext, 'client' | 'signal'>): Promise<void> {
    if (key === modelKey) return await this.#reconcileModel(signal)
    const due = this.#due().find((one) => keyOf(one) === key)
    if (!due) return
    const { resource, object, status } = due
    await client.update(resource, { ...object, status }, { subresource: 'status' }, signal)
  }

  async #reconcileModel(signal: AbortSignal): Promise<void> {
    if (!this.#full && this.#hasWork()) await this.#begin(signal)
    if (this.#full) {
      const { serving } = this.#deps
      const objects = objectsOf(this.#full, {
        certificateProblem: (key) => serving.certificateProblem(key),
        portProblem: (port) => serving.portProblem(port),
      })
      this.#model = clusterModel(objects)
      await serving.show(this.#model)
      this.#tell(this.#full)
    }
    for (const due of this.#due()) this.#queue.add(keyOf(due), currentCause())
  }

  #hasWork(): boolean {
    const { ingresses, ingressClasses, gateways } = this.#idle
    const classes = ingressClasses.lister.list()
    return gateways.lister.list().length > 0 || ingresses.lister.list().some((one) => isOurs(one, classes))
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const full = fullView(this.#deps.informers)
    const { ingresses: _i, ingressClasses: _c, gatewayClasses: _g, gateways: _w, slices, services, ...others } = full
    for (const informer of Object.values(others)) this.#watch(informer)
    this.#watch(services)
    await Promise.race([
      Promise.all(Object.values(full).map((informer) => informer.synced())),
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      ),
    ])
    const { serving } = this.#deps
    serving.begin(full)
    services.onChange(({ object }) => serving.serviceChanged(`${object.metadata.namespace}/${object.metadata.name}`))
    slices.onChange(({ object }) => {
      for (const service of serviceKeysOf(object)) serving.serviceChanged(service)
    })
    this.#full = full
  }

  #watch(source: ChangeSource): void {
    source.onChange(({ revision }) => this.#queue.add(modelKey, revision))
  }

  #due(): Due[] {
    const { clock, publishAddresses } = this.#deps
    const now = nowRfc3339(clock)
    const model = this.#model
    const full = this.#full
    const classes = this.#idle.ingressClasses.lister.list()
    const due = <T extends WithStatus>(resource: Resource<T>, objects: T[], statusOf: (object: T) => unknown): Due[] =>
      objects.flatMap((object) => {
        const status = statusOf(object)
        return status === object.status ? [] : [{ resource, object, status }]
      })
    const ofClasses = due(GatewayClasses, this.#idle.gatewayClasses.lister.list().filter(isOurClass), (one) =>
      gatewayClassStatus(one, now),
    )
    if (!model || !full) return ofClasses
    const attachments = (kind: string, { metadata }: KubernetesObject) =>
      model.attachments.get(`${kind} ${metadata.namespace}/${metadata.name}`) ?? []
    return [
      ...ofClasses,
      ...due(Ingresses, full.ingresses.lister.list(), (one) =>
        ingressStatus(one, isOurs(one, classes), publishAddresses),
      ),
      ...due(Gateways, full.gateways.lister.list(), (one) => {
        const states = model.gateways.get(`${one.metadata.namespace}/${one.metadata.name}`)
        return states ? gatewayStatus(one, states, publishAddresses, now) : one.status
      }),
      ...due(HttpRoutes, full.httpRoutes.lister.list(), (one) => routeStatus(one, attachments('HTTPRoute', one), now)),
      ...due(GrpcRoutes, full.grpcRoutes.lister.list(), (one) => routeStatus(one, attachments('GRPCRoute', one), now)),
    ]
  }

  #tell(full: FullView): void {
    const { recorder, serving } = this.#deps
    const classes = this.#idle.ingressClasses.lister.list()
    const service = (key: string) => full.services.lister.get(key)
    const those = full.ingresses.lister.list().filter((one) => isOurs(one, classes))
    const uids = new Set(those.map(({ metadata }) => metadata.uid))
    for (const uid of this.#told.keys()) if (!uids.has(uid)) this.#told.delete(uid)
    for (const ingress of those) {
      const { uid } = ingress.metadata
      const problems = ingressProblems(ingress, service, (key) => serving.certificateProblem(key))
      const text = JSON.stringify(problems)
      const before = this.#told.get(uid)
      if (before === text) continue
      this.#told.set(uid, text)
      // An Ingress that has an address was told so by the process before this one.
      if (before === undefined && !ingress.status.loadBalancer?.ingress?.length) {
        recorder.event(ingress, 'Normal', 'Sync', 'Scheduled for sync')
      }
      for (const { reason, message } of problems) recorder.event(ingress, 'Warning', reason, message)
    }
  }
}

function keyOf({ object }: Due): string {
  const { kind, metadata } = object
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`
}
