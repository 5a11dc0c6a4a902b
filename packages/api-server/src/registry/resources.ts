/**
 * The resources that this server serves, found by what a URL or an object says of them.
 *
 * Definitions can be added and removed while the server runs (custom resources); whoever keeps something derived from
 * the set, such as discovery documents, compares `generation`.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import { apiVersionOf, type Resource } from '@dinghy/shared/api/resources'
import { conform, type Conformed } from '../shape/conform.ts'
import type { Entry } from '../storage/storage.ts'
import type { ResourceDefinition } from './resource-definition.ts'

export class Resources {
  readonly #definitions = new Map<string, ResourceDefinition>()
  readonly #removals = new Map<string, AbortController>()
  #generation = 0

  constructor(definitions: ResourceDefinition[]) {
    for (const definition of definitions) this.add(definition)
  }

  /** Grows with every change of the set. */
  get generation(): number {
    return this.#generation
  }

  /** Or puts it in the place of the one of the same name. */
  add(definition: ResourceDefinition): void {
    this.#definitions.set(idOf(definition), definition)
    this.#generation++
  }

  remove(definition: ResourceDefinition): void {
    const key = idOf(definition)
    this.#definitions.delete(key)
    this.#removals.get(key)?.abort()
    this.#removals.delete(key)
    this.#generation++
  }

  /** The definition as it is by now: one that a request holds for long may have been replaced. */
  current(definition: ResourceDefinition): ResourceDefinition {
    return this.#definitions.get(idOf(definition)) ?? definition
  }

  /** Aborted when the resource is no longer served. */
  removalOf(definition: ResourceDefinition): AbortSignal {
    const removal = this.#removals.get(idOf(definition)) ?? new AbortController()
    this.#removals.set(idOf(definition), removal)
    return removal.signal
  }

  get(group: string, version: string, plural: string): ResourceDefinition | undefined {
    return this.#definitions.get(id(group, version, plural))
  }

  /** Of a resource that is always served. */
  definitionOf({ group, version, plural }: Resource): ResourceDefinition {
    const definition = this.get(group, version, plural)
    if (!definition) throw new Error(`${plural} of ${group}/${version} are not served`)
    return definition
  }

  all(): ResourceDefinition[] {
    return [...this.#definitions.values()]
  }

  /** The definition in whose version objects of this one are kept: itself, unless versions share a location. */
  stored(definition: ResourceDefinition): ResourceDefinition {
    const { group, version, plural } = definition.storage
    return this.get(group, version, plural) ?? definition
  }
}

/** Before `objectOf`, `copyOf` and `bytesOf` of entries that have just been read: a webhook may convert them. */
export async function prepare({ storage: { view } }: ResourceDefinition, entries: readonly Entry[]): Promise<void> {
  if (view?.prepare) await view.prepare(entries)
}

/** The object in the version that `definition` speaks. The result may be shared: do not change it. */
export function objectOf(definition: ResourceDefinition, entry: Entry): KubernetesObject {
  return definition.storage.view?.objectOf(entry) ?? inVersionOf(definition, entry.object)
}

/** The same, for the caller to change. */
export function copyOf(definition: ResourceDefinition, entry: Entry): KubernetesObject {
  const { view, convert } = definition.storage
  if (view) return structuredClone(view.objectOf(entry))
  return convert ? inVersionOf(definition, entry.copy()) : entry.copy()
}

/** The bytes to serve for an entry: the stored ones, unless another version was asked for. */
export function bytesOf(definition: ResourceDefinition, entry: Entry): Buffer {
  const { view, convert } = definition.storage
  // Nearly always: nobody has to look into them.
  if (!view && !convert) return entry.value
  const object = objectOf(definition, entry)
  return object === entry.object ? entry.value : Buffer.from(JSON.stringify(object))
}

/** What a client or a webhook sent, in the form of its type. Throws ShapeError. */
export function conformTo(target: ConformTarget, value: unknown): Conformed {
  return target.conform?.(value) ?? conform(value, target.type, target.types)
}

export type ConformTarget = Pick<ResourceDefinition, 'type' | 'types' | 'conform'>

export function inVersionOf(definition: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  const apiVersion = apiVersionOf(definition)
  const { convert } = definition.storage
  return convert && object.apiVersion !== apiVersion ? convert(object, apiVersion) : object
}

/**
 * What was sent, with the defaults of the version it was sent in and, if that is another one, of the stored version.
 */
export function defaultAndConvert(
  sent: ResourceDefinition,
  stored: ResourceDefinition,
  object: KubernetesObject,
): KubernetesObject {
  sent.strategy.defaults?.(object)
  const converted = inVersionOf(stored, object)
  if (stored !== sent) stored.strategy.defaults?.(converted)
  return converted
}

function idOf({ group, version, plural }: ResourceDefinition): string {
  return id(group, version, plural)
}

function id(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`
}
