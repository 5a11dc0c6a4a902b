/**
 * The resources that this server serves, found by what a URL or an object says of them.
 *
 * Definitions can be added and removed while the server runs (custom resources); whoever keeps something derived from
 * the set, such as discovery documents, compares `generation`.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import { apiVersionOf, type Resource } from '@dinghy/shared/api/resources'
import type { Entry } from '../storage/storage.ts'
import type { ResourceDefinition } from './resource-definition.ts'

export class Resources {
  readonly #definitions = new Map<string, ResourceDefinition>()
  #generation = 0

  constructor(definitions: ResourceDefinition[]) {
    for (const definition of definitions) this.add(definition)
  }

  /** Grows with every change of the set. */
  get generation(): number {
    return this.#generation
  }

  add(definition: ResourceDefinition): void {
    this.#definitions.set(id(definition.group, definition.version, definition.plural), definition)
    this.#generation++
  }

  remove(definition: ResourceDefinition): void {
    this.#definitions.delete(id(definition.group, definition.version, definition.plural))
    this.#generation++
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

/** The object in the version that `definition` speaks. The result may be shared: do not change it. */
export function objectOf(definition: ResourceDefinition, entry: Entry): KubernetesObject {
  return inVersionOf(definition, entry.object)
}

/** The bytes to serve for an entry: the stored ones, unless another version was asked for. */
export function bytesOf(definition: ResourceDefinition, entry: Entry): Buffer {
  const object = objectOf(definition, entry)
  return object === entry.object ? entry.value : Buffer.from(JSON.stringify(object))
}

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

function id(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`
}
