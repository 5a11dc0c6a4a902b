/**
 * The aggregation layer: which requests another server answers, and whether it can (upstream's kube-aggregator).
 *
 *   request ─► … ─► authorize ─► aggregate ─► this server's own handlers
 *                                    └─ an APIService with a Service: that server's answer
 *
 * A work queue holds the names of APIServices to look at: those that changed, those whose Service or endpoints changed,
 * and, every half a minute, all that stand for another server. The look writes the condition Available and keeps what
 * the server says of itself, for discovery. The store's own loop runs in this process, so no request is made for it.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { serviceUnavailable } from '@dinghy/shared/api/errors'
import { EndpointSlices, Services } from '@dinghy/shared/api/resources'
import { messageOf } from '@dinghy/shared/api/message-of'
import { sameJson } from '@dinghy/shared/api/same-json'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/process/logger'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import type { ExtensionVersion } from '../discovery.ts'
import { slicesOf } from '../http/service-endpoint.ts'
import { keyPrefix, type Location } from '../registry/object-key.ts'
import type { Reader } from '../registry/reader.ts'
import type { Resources } from '../registry/resources.ts'
import type { Store } from '../registry/store.ts'
import { serverContext } from '../registry/write-context.ts'
import { SlowWatcher, type Storage } from '../storage/storage.ts'
import {
  APIServices,
  type APIService,
  apiServiceNameOf,
  type Availability,
  availabilityOf,
  local,
  passed,
  type ServiceReference,
  unavailable,
  withAvailability,
} from './api-service.ts'
import type { Extension } from '../http/pipeline.ts'
import { ExtensionServer, type FrontProxyIdentity } from './extension-server.ts'
import { registerLocal } from './local-api-services.ts'

export interface AggregatorParts {
  storage: Storage
  reader: Reader
  resources: Resources
  store: Store
  clock: Clock
  log: Logger
  /** Shown to extension servers. */
  identity?: FrontProxyIdentity | undefined
  /** What this process answers without the store, unless an APIService names a server for it. */
  builtIn: (Extension & ExtensionVersion)[]
}

const resyncMs = 30_000
const workers = 2
const customResourceDefinitions = { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' }
/** The key of the queue that means: see which groups this server itself serves. No APIService has this name. */
const localServices = '*'

export class Aggregator {
  readonly #parts: AggregatorParts
  readonly #queue: WorkQueue
  readonly #builtIn: Map<string, Extension & ExtensionVersion>
  /** By the name of their APIService: the other servers, and what those that are available say of themselves. */
  readonly #servers = new Map<string, ExtensionServer>()
  readonly #discovered = new Map<string, ExtensionVersion>()
  #generation = 0

  constructor(parts: AggregatorParts) {
    this.#parts = parts
    this.#queue = new WorkQueue({ clock: parts.clock })
    this.#builtIn = new Map(parts.builtIn.map((one) => [`${one.version}.${one.group}`, one]))
  }

  /** Grows whenever extensions() answers something else. */
  get generation(): number {
    return this.#generation
  }

  /** Who answers for this path; undefined: this server's ordinary handlers do. Throws 503 for a server that is away. */
  find(path: string): Extension | undefined {
    const name = apiServiceNameOf(path)
    if (name === undefined) return undefined
    const server = this.#servers.get(name)
    if (server && !this.#discovered.has(name)) throw serviceUnavailable('service unavailable')
    return server ?? this.#builtIn.get(name)
  }

  /** What is served beside this server's own resources, for discovery. */
  extensions(): ExtensionVersion[] {
    const builtIn = [...this.#builtIn].filter(([name]) => !this.#servers.has(name))
    return [...this.#discovered.values(), ...builtIn.map(([, extension]) => extension)]
  }

  /** Ends with the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const changed = (name = '') => {
      this.#queue.add(name)
      // One that was deleted may stand for what this server serves.
      this.#queue.add(localServices)
    }
    const concerned = (namespace = '', service = '') => this.#addConcerned(namespace, service)
    this.#queue.add(localServices)
    await Promise.all([
      this.#follow(APIServices, ({ metadata }) => changed(metadata.name), signal),
      this.#follow(Services, ({ metadata }) => concerned(metadata.namespace, metadata.name), signal),
      this.#follow(EndpointSlices, ({ metadata }) => concerned(metadata.namespace, serviceOf(metadata)), signal),
      this.#follow(customResourceDefinitions, () => this.#queue.add(localServices), signal),
      ...Array.from({ length: workers }, () => this.#work(signal)),
    ])
    this.#queue.shutDown()
  }

  /** Tells of every object that there is, and of every change from then on. */
  async #follow(location: Location, changed: (object: KubernetesObject) => void, signal: AbortSignal): Promise<void> {
    const prefix = keyPrefix(location)
    while (!signal.aborted) {
      const { revision, entries } = this.#parts.storage.list(prefix)
      entries.forEach(({ object }) => changed(object))
      try {
        for await (const event of this.#parts.storage.watch(prefix, revision, signal)) {
          if (event.type !== 'PROGRESS') changed(event.entry.object)
        }
      } catch (error) {
        // Too many events for one turn: what is now says all that they said.
        if (!(error instanceof SlowWatcher)) throw error
      }
    }
  }

  #addConcerned(namespace: string, service: string): void {
    for (const [name, { spec }] of this.#remoteApiServices()) {
      if (spec.service?.namespace === namespace && spec.service.name === service) this.#queue.add(name)
    }
  }

  #remoteApiServices(): [string, APIService][] {
    return [...this.#servers.keys()].flatMap((name) => {
      const apiService = this.#parts.reader.get(APIServices, undefined, name)
      return apiService ? [[name, apiService]] : []
    })
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let next = await this.#queue.take(signal); next; next = await this.#queue.take(signal)) {
      const { key } = next
      try {
        const look = key === localServices ? this.#registerLocal() : this.#look(key, signal)
        const isAvailable = await look
        if (isAvailable) this.#queue.forget(key)
        else this.#queue.addRateLimited(key)
      } catch (error) {
        if (signal.aborted) return
        this.#parts.log.warn({ err: error, apiService: key }, 'looking at an APIService failed: trying again')
        this.#queue.addRateLimited(key)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #registerLocal(): Promise<boolean> {
    const { resources, storage, clock } = this.#parts
    const served = [...resources.all(), ...this.#builtIn.values()].filter(({ group }) => group !== APIServices.group)
    await registerLocal(storage, served, clock.now())
    return true
  }

  /** Whether there is nothing more to be seen for now. */
  async #look(name: string, signal: AbortSignal): Promise<boolean> {
    const { reader } = this.#parts
    const apiService = reader.get(APIServices, undefined, name)
    const service = apiService?.spec.service
    if (!apiService || !service) {
      this.#forget(name)
      if (apiService) await this.#writeAvailability(name, local)
      return true
    }
    const server = new ExtensionServer(apiService, service, reader, this.#parts.identity)
    this.#servers.set(name, server)
    const availability = await this.#check(name, server, service, signal)
    await this.#writeAvailability(name, availability)
    this.#queue.addAfter(name, resyncMs)
    return availability.status === 'True' || availability.reason !== 'FailedDiscoveryCheck'
  }

  async #check(
    name: string,
    server: ExtensionServer,
    service: ServiceReference,
    signal: AbortSignal,
  ): Promise<Availability> {
    const { reader } = this.#parts
    const { namespace, name: serviceName } = service
    const problem = availabilityOf(
      service,
      reader.get(Services, namespace, serviceName),
      slicesOf(reader, namespace, serviceName),
    )
    try {
      const discovered = problem ? undefined : await server.discover(signal)
      this.#setDiscovered(name, discovered)
      return problem ?? passed
    } catch (error) {
      if (signal.aborted) throw error
      this.#setDiscovered(name, undefined)
      return unavailable('FailedDiscoveryCheck', `failing or missing response: ${messageOf(error)}`)
    }
  }

  #setDiscovered(name: string, discovered: ExtensionVersion | undefined): void {
    if (sameJson(this.#discovered.get(name), discovered)) return
    if (discovered) this.#discovered.set(name, discovered)
    else this.#discovered.delete(name)
    this.#generation++
  }

  #forget(name: string): void {
    if (!this.#servers.delete(name)) return
    this.#discovered.delete(name)
    this.#generation++
  }

  async #writeAvailability(name: string, availability: Availability): Promise<void> {
    const { store, resources, reader, clock } = this.#parts
    const { group, version, plural } = APIServices
    const definition = resources.get(group, version, plural)
    const now = rfc3339(clock.now())
    const conditionsOf = (object: KubernetesObject) =>
      withAvailability((object as APIService).status?.conditions ?? [], availability, now)
    const current = reader.get(APIServices, undefined, name)
    // Most looks see what is known already, and an update costs more than a look.
    if (!definition || !current || !conditionsOf(current)) return
    const change = (object: KubernetesObject) => {
      const conditions = conditionsOf(object)
      return conditions ? { ...object, status: { ...(object as APIService).status, conditions } } : object
    }
    await store.update(definition, { namespace: undefined, name }, change, serverContext, { subresource: 'status' })
  }
}

function serviceOf({ labels }: KubernetesObject['metadata']): string | undefined {
  return labels?.['kubernetes.io/service-name']
}
