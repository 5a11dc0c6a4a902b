/**
 * Follows the CustomResourceDefinitions in storage and keeps `Resources` in step: what is established is served, what
 * is gone is not. It also writes their conditions, and empties a resource before its definition goes. Upstream's
 * naming, establishing and finalizing controllers of apiextensions-apiserver, which run inside the server as well.
 *
 *     storage watch ─► queue of names ─► reconcile ─┬─► status: names, conditions
 *                                                   ├─► Resources: a ResourceDefinition for each served version
 *                                                   └─► instances are deleted, then the finalizer is taken away
 *
 * One definition at a time, since they compete for names.
 */

import { hasReason } from '@dinghy/shared/api/errors'
import { isConditionTrue, setCondition } from '@dinghy/shared/api/conditions'
import { CustomResourceDefinitions } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import { rfc3339 } from '@dinghy/shared/api/time'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import type { Logger } from '@dinghy/shared/process/logger'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import type { CustomResourceDefinitionStatus } from 'kubernetes-types/apiextensions/v1.js'
import { cleanupFinalizer } from '../registry/kinds/custom-resource-definition.ts'
import { keyPrefix } from '../registry/object-key.ts'
import type { Reader } from '../registry/reader.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Resources } from '../registry/resources.ts'
import { parseSelection } from '../registry/selection.ts'
import type { Store } from '../registry/store.ts'
import { serverContext, type WriteContext } from '../registry/write-context.ts'
import { statusFor } from './accepted-names.ts'
import type { Converter } from './conversion.ts'
import { definitionsOf, type DefinitionParts, type VersionDefinition } from './definition-of.ts'

export interface ControllerParts extends Omit<DefinitionParts, 'converter'> {
  store: Store
  resources: Resources
  reader: Reader
  log: Logger
  /** Fetches what the rules of a definition need. */
  loadRules(definition: CustomResourceDefinition): Promise<void>
  /** How the versions of this definition are converted. */
  converterFor(definition: CustomResourceDefinition): Converter
}

/** How long to wait before looking again whether the last instances are gone. */
const instancesRetryMs = 1_000

interface Served {
  /** What the definitions were made of: when it is the same, so are they. */
  madeOf: object
  versions: VersionDefinition[]
}

export class CustomResourceController {
  readonly #parts: ControllerParts
  readonly #queue: WorkQueue
  /** By the name of the definition. */
  readonly #served = new Map<string, Served>()

  constructor(parts: ControllerParts) {
    this.#parts = parts
    this.#queue = new WorkQueue({ clock: parts.store.parts.clock })
  }

  /** Serves what was established before this process was. */
  async start(): Promise<void> {
    for (const definition of this.#all()) {
      if (isEstablished(definition)) await this.#serve(definition)
      this.#queue.add(definition.metadata.name)
    }
  }

  /** Follows what happens after revision `from`. Resolves when the signal aborts. */
  async run(from: number, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(from, signal), this.#work(signal)])
  }

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    const { storage } = this.#parts.store.parts
    for await (const event of storage.watch(keyPrefix(CustomResourceDefinitions), from, signal)) {
      if (event.type === 'PROGRESS') continue
      const changed = event.entry.object as CustomResourceDefinition
      this.#queue.add(changed.metadata.name, String(event.revision))
      for (const { metadata } of this.#waitingForNames(changed.spec.group)) {
        this.#queue.add(metadata.name, String(event.revision))
      }
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = await this.#queue.take(signal)
      if (!next) break
      const { key, cause } = next
      try {
        await this.reconcile(key, cause === undefined ? undefined : Number(cause))
        this.#queue.forget(key)
      } catch (error) {
        if (!hasReason(error, 'Conflict', 'NotFound')) {
          this.#parts.log.error({ err: error, definition: key }, 'a custom resource definition was not reconciled')
        }
        this.#queue.addRateLimited(key, cause)
      } finally {
        this.#queue.done(key)
      }
    }
    this.#queue.shutDown()
  }

  async reconcile(name: string, cause: number | undefined): Promise<void> {
    const definition = this.#parts.reader.get(CustomResourceDefinitions, undefined, name)
    if (!definition) return this.#withdraw(name)
    const context = { ...serverContext, cause }
    const status = statusFor(definition, this.#all(), rfc3339(this.#now()))
    const current =
      status === definition.status
        ? definition
        : await this.#writeStatus(name, (now) => ({ ...now, ...status }), context)
    if (isEstablished(current)) await this.#serve(current)
    if (current.metadata.deletionTimestamp && current.metadata.finalizers?.includes(cleanupFinalizer)) {
      await this.#empty(current, context)
    }
  }

  /** Those that were refused a name in this group, and may have it by now. */
  #waitingForNames(group: string): CustomResourceDefinition[] {
    return this.#all().filter(
      ({ spec, status }) => spec.group === group && !isConditionTrue(status?.conditions, 'NamesAccepted'),
    )
  }

  #all(): CustomResourceDefinition[] {
    return this.#parts.reader.list(CustomResourceDefinitions)
  }

  #now(): number {
    return this.#parts.store.parts.clock.now()
  }

  // ---- serving

  async #serve(definition: CustomResourceDefinition): Promise<void> {
    const { resources } = this.#parts
    const { name } = definition.metadata
    const { spec, status } = definition
    const isGoing = isConditionTrue(status?.conditions, 'Terminating')
    const madeOf = { spec, names: status?.acceptedNames, isGoing }
    const before = this.#served.get(name)
    if (before && sameJson(before.madeOf, madeOf)) return
    await this.#parts.loadRules(definition)
    const versions = definitionsOf(definition, { ...this.#parts, converter: this.#parts.converterFor(definition) })
    this.#served.set(name, { madeOf, versions })
    const served = versions.filter(({ isServed }) => isServed).map((version) => version.definition)
    for (const { definition: old } of before?.versions ?? []) {
      if (!served.some(({ version }) => version === old.version)) resources.remove(old)
    }
    for (const one of served) resources.add(one)
  }

  #withdraw(name: string): void {
    for (const { definition, isServed } of this.#served.get(name)?.versions ?? []) {
      if (isServed) this.#parts.resources.remove(definition)
    }
    this.#served.delete(name)
  }

  // ---- the end of a definition

  async #empty(definition: CustomResourceDefinition, context: WriteContext): Promise<void> {
    const { name } = definition.metadata
    const stored = this.#served.get(name)?.versions.find(({ isStored }) => isStored)?.definition
    if (stored && !(await this.#deleteInstances(name, stored, context))) {
      this.#queue.addAfter(name, instancesRetryMs, context.cause === undefined ? undefined : String(context.cause))
      return
    }
    const outcome = stored
      ? { reason: 'InstanceDeletionCompleted', message: 'removed all instances' }
      : { reason: 'NeverEstablished', message: 'resource was never established' }
    await this.#writeStatus(name, this.#terminating('False', outcome), context)
    await this.#update(
      name,
      ({ metadata }) => {
        metadata.finalizers = metadata.finalizers?.filter((finalizer) => finalizer !== cleanupFinalizer) ?? []
      },
      context,
    )
  }

  /** Whether there is none left. */
  async #deleteInstances(name: string, stored: ResourceDefinition, context: WriteContext): Promise<boolean> {
    const { store } = this.#parts
    const progress = { reason: 'InstanceDeletionInProgress', message: 'CustomResource deletion is in progress' }
    await this.#writeStatus(name, this.#terminating('True', progress), context)
    const everything = { selection: parseSelection(stored, {}) }
    try {
      await store.deleteCollection(stored, everything, {}, context)
    } catch (error) {
      const message = `could not issue all deletes: ${error instanceof Error ? error.message : String(error)}`
      await this.#writeStatus(name, this.#terminating('True', { reason: 'InstanceDeletionFailed', message }), context)
      throw error
    }
    return store.parts.storage.count(keyPrefix(stored.storage)) === 0
  }

  #terminating(status: 'True' | 'False', why: { reason: string; message: string }) {
    return (current: CustomResourceDefinitionStatus): CustomResourceDefinitionStatus => ({
      ...current,
      conditions: setCondition(current.conditions, { type: 'Terminating', status, ...why }, rfc3339(this.#now())),
    })
  }

  // ---- writing

  #writeStatus(
    name: string,
    change: (status: CustomResourceDefinitionStatus) => CustomResourceDefinitionStatus,
    context: WriteContext,
  ): Promise<CustomResourceDefinition> {
    return this.#update(
      name,
      (definition) => {
        definition.status = change(definition.status ?? {})
      },
      context,
      'status',
    )
  }

  async #update(
    name: string,
    change: (definition: CustomResourceDefinition) => void,
    context: WriteContext,
    subresource?: string,
  ): Promise<CustomResourceDefinition> {
    const { store, resources } = this.#parts
    const { group, version, plural } = CustomResourceDefinitions
    const kind = resources.get(group, version, plural)
    if (!kind) throw new Error('CustomResourceDefinitions are not served')
    const { entry } = await store.update(
      kind,
      { name },
      (current) => {
        if (current) change(current as CustomResourceDefinition)
        return current ?? ({} as never)
      },
      context,
      { subresource },
    )
    return entry.object as CustomResourceDefinition
  }
}

function isEstablished({ status }: CustomResourceDefinition): boolean {
  return isConditionTrue(status?.conditions, 'Established')
}
