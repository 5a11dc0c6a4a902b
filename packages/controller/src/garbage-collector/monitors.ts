/**
 * Monitors: one metadata-only informer for every resource that can be listed, watched and deleted, custom ones
 * included. What is served changes while we run, so discovery is repeated: now and then, and soon after a
 * CustomResourceDefinition has come, gone or changed.
 */

import { apiVersionOf, CustomResourceDefinitions, type Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { Backoff } from '@dinghy/shared/client/backoff'
import { discover, type DiscoveredResource } from '@dinghy/shared/client/discovery'
import { Informer, type Change } from '@dinghy/shared/client/informer'
import type { ControllerDeps } from '../deps.ts'

const rediscoverMs = 30_000
/** A definition needs a moment until it is served, and seldom comes alone. */
const settleMs = 1_000
/** A resource that cannot be listed must not keep the garbage of all others. */
const syncTimeoutMs = 30_000

export type ResourceChange = Change<KubernetesObject> & { resource: Resource }

export class Monitors {
  readonly #deps: Pick<ControllerDeps, 'client' | 'clock' | 'log'>
  readonly #onChange: (change: ResourceChange) => void
  readonly #monitors = new Map<
    string,
    { resource: Resource; informer: Informer<KubernetesObject>; stop: AbortController }
  >()
  #resources: DiscoveredResource[] = []
  /** A definition has changed since the last discovery. */
  #isStale = false
  #definitionsChanged = (): void => undefined

  constructor(deps: Pick<ControllerDeps, 'client' | 'clock' | 'log'>, onChange: (change: ResourceChange) => void) {
    this.#deps = deps
    this.#onChange = onChange
  }

  /** The resource that an owner reference speaks of, whatever version it names; undefined if the server knows none. */
  resourceOf({ apiVersion, kind }: { apiVersion: string; kind: string }): Resource | undefined {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
    return this.#resources.find((resource) => resource.group === group && resource.kind === kind)
  }

  /**
   * Keeps the monitors in step with discovery until the signal aborts; calls `onSynced` once all have their first list.
   */
  async run(onSynced: () => void, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#deps.clock)
    while (!signal.aborted) {
      try {
        if (await this.#discover(signal)) {
          backoff.reset()
          await Promise.race([this.#synced(), this.#deps.clock.sleep(syncTimeoutMs, signal)])
          onSynced()
          await this.#pause(signal)
        } else await backoff.wait(signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  /** Until it is time to look again. */
  async #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    const over = new AbortController()
    const changed = new Promise<void>((resolve) => (this.#definitionsChanged = resolve))
    if (this.#isStale) this.#definitionsChanged()
    this.#isStale = false
    try {
      await Promise.race([
        clock.sleep(rediscoverMs, AbortSignal.any([signal, over.signal])),
        changed.then(() => clock.sleep(settleMs, signal)),
      ])
    } finally {
      over.abort()
    }
  }

  async #discover(signal: AbortSignal): Promise<boolean> {
    this.#isStale = false
    try {
      this.#resources = await discover(this.#deps.client, signal)
    } catch (error) {
      if (!signal.aborted) this.#deps.log.debug({ err: error }, 'discovery failed: trying again')
      return false
    }
    this.#follow(signal)
    return true
  }

  #follow(signal: AbortSignal): void {
    const wanted = new Map(this.#resources.filter(isCollectable).map((resource) => [keyOf(resource), resource]))
    for (const [key, { resource, informer, stop }] of this.#monitors) {
      if (wanted.has(key)) continue
      stop.abort()
      this.#monitors.delete(key)
      // With its definition every object of the kind is gone.
      for (const object of informer.lister.list()) {
        this.#onChange({ type: 'deleted', object, revision: object.metadata.resourceVersion, resource })
      }
    }
    for (const [key, resource] of wanted) if (!this.#monitors.has(key)) this.#start(key, resource, signal)
  }

  #start(key: string, resource: Resource, signal: AbortSignal): void {
    const { client, clock, log } = this.#deps
    const informer = new Informer(client, resource, { metadataOnly: true, clock, log })
    const stop = new AbortController()
    this.#monitors.set(key, { resource, informer, stop })
    const defines = resource.plural === CustomResourceDefinitions.plural
    informer.onChange((change) => {
      this.#onChange({ ...change, resource })
      if (!defines) return
      this.#isStale = true
      this.#definitionsChanged()
    })
    informer.run(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      log.error({ resource: key, err: error }, 'a monitor stopped')
    })
  }

  async #synced(): Promise<void> {
    await Promise.all([...this.#monitors.values()].map(({ informer }) => informer.synced()))
  }
}

/** Events are many, own nothing, and expire by themselves. */
function isCollectable({ group, plural, verbs }: DiscoveredResource): boolean {
  if (plural === 'events' && (group === '' || group === 'events.k8s.io')) return false
  return ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb))
}

function keyOf(resource: Resource): string {
  return `${apiVersionOf(resource)}/${resource.plural}`
}
