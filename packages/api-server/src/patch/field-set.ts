/**
 * A set of fields of an object: what a manager owns. Kept as a tree of path elements, as fieldsV1 writes them:
 *
 *   f:replicas                 a field, or a key of a map
 *   k:{"name":"web"}           the item of a list with these keys
 *   v:"example.com/finalizer"  a value in a set
 *   .                          the node itself is in the set, besides what is below it
 *
 * A leaf that is in the set is written {}. Immutable: every operation returns a new set.
 */

import { isObject, type JsonObject, setOwn } from '../shape/json.ts'

export class FieldSet {
  readonly isMember: boolean
  readonly children: ReadonlyMap<string, FieldSet>

  constructor(isMember: boolean, children: ReadonlyMap<string, FieldSet>) {
    this.isMember = isMember
    this.children = children
  }

  static get empty(): FieldSet {
    return emptySet
  }

  /** Of a node with these children; empty ones are left out. */
  static of(isMember: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
    const kept = new Map<string, FieldSet>()
    for (const [element, child] of children) if (!child.isEmpty) kept.set(element, child)
    if (kept.size === 0) return isMember ? leaf : emptySet
    return new FieldSet(isMember, kept)
  }

  get isEmpty(): boolean {
    return !this.isMember && this.children.size === 0
  }

  child(element: string): FieldSet {
    return this.children.get(element) ?? FieldSet.empty
  }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this
    if (this.isEmpty) return other
    const elements = new Set([...this.children.keys(), ...other.children.keys()])
    return combine(this, other, elements, this.isMember || other.isMember, (a, b) => a.union(b))
  }

  intersection(other: FieldSet): FieldSet {
    return combine(this, other, this.children.keys(), this.isMember && other.isMember, (a, b) => a.intersection(b))
  }

  difference(other: FieldSet): FieldSet {
    if (other.isEmpty || this.isEmpty) return this
    return combine(this, other, this.children.keys(), this.isMember && !other.isMember, (a, b) => a.difference(b))
  }

  /** Without these nodes and everything below them. */
  without(removed: FieldSet): FieldSet {
    if (removed.isMember) return FieldSet.empty
    if (removed.children.size === 0 || this.children.size === 0) return this
    return combine(this, removed, this.children.keys(), this.isMember, (a, b) => a.without(b))
  }

  equals(other: FieldSet): boolean {
    if (this.isMember !== other.isMember || this.children.size !== other.children.size) return false
    return [...this.children].every(([element, child]) => child.equals(other.child(element)))
  }

  /** Every member as people read it: `.spec.containers[name="web"].image` */
  paths(prefix = ''): string[] {
    const own = this.isMember ? [prefix] : []
    return [...own, ...[...this.children].flatMap(([element, child]) => child.paths(prefix + readable(element)))]
  }

  toFieldsV1(): JsonObject {
    const written: JsonObject = {}
    if (this.isMember && this.children.size > 0) written['.'] = {}
    for (const element of [...this.children.keys()].sort()) setOwn(written, element, this.child(element).toFieldsV1())
    return written
  }

  /** Anything that is no field set reads as an empty one: clients may have written it. */
  static fromFieldsV1(value: unknown): FieldSet {
    if (!isObject(value)) return FieldSet.empty
    const entries = Object.entries(value)
    const children = entries
      .filter(([element]) => element !== '.')
      .map(([element, child]) => [element, orLeaf(FieldSet.fromFieldsV1(child))] as const)
    return new FieldSet(Object.hasOwn(value, '.'), new Map(children))
  }
}

// Not a static field: what the compiler makes of a class that names itself in one cannot be loaded.
const emptySet = new FieldSet(false, new Map())

/** A field without parts. */
export const leaf = new FieldSet(true, new Map())

function combine(
  one: FieldSet,
  other: FieldSet,
  elements: Iterable<string>,
  isMember: boolean,
  join: (a: FieldSet, b: FieldSet) => FieldSet,
): FieldSet {
  const children = Array.from(elements, (element) => [element, join(one.child(element), other.child(element))] as const)
  return FieldSet.of(isMember, children)
}

function orLeaf(set: FieldSet): FieldSet {
  return set.children.size === 0 ? leaf : set
}

export function fieldElement(name: string) {
  return `f:${name}`
}
export function valueElement(value: unknown) {
  return `v:${JSON.stringify(value)}`
}
export function keyElement(keys: JsonObject) {
  return `k:${JSON.stringify(keys)}`
}

function readable(element: string): string {
  const rest = element.slice(2)
  if (element.startsWith('f:')) return `.${rest}`
  if (element.startsWith('v:')) return `[=${rest}]`
  if (!element.startsWith('k:')) return `[${rest}]`
  const keys = Object.entries(JSON.parse(rest) as JsonObject)
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
}
