/**
 * Lister: reads from an informer's cache, never from the network.
 *
 * Callers may rely on: objects are deeply frozen (writing to one throws: copy it first, with a spread or
 * structuredClone); a list is a snapshot that later events do not change; lists have no promised order.
 * The "namespace" index always exists; an informer adds others by name.
 */

import { keyOf } from '../api/keys.ts'
import { matchesLabels, type Selector } from '../api/selectors.ts'
import type { KubernetesObject } from '../api/types.ts'

export type IndexFunction<T> = (object: T) => string[]

interface Index<T> {
  valuesOf: IndexFunction<T>
  /** value → key → object */
  entries: Map<string, Map<string, T>>
}

export class Lister<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()

  constructor() {
    this.addIndex('namespace', (object) => (object.metadata.namespace ? [object.metadata.namespace] : []))
  }

  /** By "namespace/name", or "name" for cluster-scoped kinds. */
  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(filter: { namespace?: string | undefined; selector?: Selector } = {}): T[] {
    const { namespace, selector } = filter
    const candidates = namespace === undefined ? [...this.#objects.values()] : this.byIndex('namespace', namespace)
    return selector ? candidates.filter((object) => matchesLabels(selector, object.metadata.labels ?? {})) : candidates
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name)
    if (!index) throw new Error(`no index "${name}"`)
    return [...(index.entries.get(value)?.values() ?? [])]
  }

  /** The rest is for the informer that feeds this cache. */

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    const index: Index<T> = { valuesOf, entries: new Map() }
    for (const [key, object] of this.#objects) insert(index, key, object)
    this.#indexes.set(name, index)
  }

  /** Returns what was there before. */
  set(object: T): T | undefined {
    const key = keyOf(object)
    const previous = this.delete(key)
    this.#objects.set(key, object)
    for (const index of this.#indexes.values()) insert(index, key, object)
    return previous
  }

  delete(key: string): T | undefined {
    const previous = this.#objects.get(key)
    if (!previous) return undefined
    this.#objects.delete(key)
    for (const index of this.#indexes.values()) remove(index, key, previous)
    return previous
  }

  keys(): string[] {
    return [...this.#objects.keys()]
  }
}

function insert<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const entries = index.entries.get(value)
    if (entries) entries.set(key, object)
    else index.entries.set(value, new Map([[key, object]]))
  }
}

function remove<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const entries = index.entries.get(value)
    entries?.delete(key)
    if (entries?.size === 0) index.entries.delete(value)
  }
}
