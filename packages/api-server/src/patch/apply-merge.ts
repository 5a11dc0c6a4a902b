/**
 * The two halves of server-side apply that make the new object: what the author asks for goes in, what they no longer
 * ask for – and nobody else does – goes out.
 */

import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import { isObject } from '../shape/json.ts'
import type { FieldSet } from './field-set.ts'
import { partsOf, structureOf, type Place } from './field-structure.ts'

/** `applied` laid over `live`: objects merge, keyed items merge, leaves are the author's. Neither is changed. */
export function mergeApplied(live: unknown, applied: unknown, place: Place, types: TypeSource): unknown {
  if (live === undefined) return applied
  const structure = structureOf(applied, place, types)
  if (structure === 'leaf' || structure !== structureOf(live, place, types)) return applied
  const old = partsOf(live, place, types)
  const now = partsOf(applied, place, types)
  const merge = (element: string) => {
    const part = now.get(element)
    return part ? mergeApplied(old.get(element)?.value, part.value, part.place, types) : old.get(element)?.value
  }
  if (structure === 'items') return mergedOrder([...old.keys()], [...now.keys()]).map(merge)
  const elements = new Set([...old.keys(), ...now.keys()])
  return Object.fromEntries(Array.from(elements, (element) => [element.slice(2), merge(element)]))
}

/**
 * The author's items in the author's order; the others stay where they were, which is before any item that is new.
 * [a x b] with [b n a] → [x b n a]
 */
export function mergedOrder(live: string[], applied: string[]): string[] {
  const [isLive, isApplied] = [new Set(live), new Set(applied)]
  const order: string[] = []
  let next = 0
  for (const element of applied) {
    // Items that both have are placed by the author, so those that stand in the way here are passed over.
    if (isLive.has(element)) {
      const at = live.indexOf(element)
      for (; next <= at; next++) if (!isApplied.has(live[next] ?? '')) order.push(live[next] ?? '')
    } else {
      for (; next < live.length && !isApplied.has(live[next] ?? ''); next++) order.push(live[next] ?? '')
    }
    order.push(element)
  }
  return [...order, ...live.slice(next).filter((element) => !isApplied.has(element))]
}

/**
 * Removes what was applied before and is owned by nobody now. What is emptied by that goes, too: it is undefined then.
 */
export function prune(value: unknown, before: FieldSet, owned: FieldSet, place: Place, types: TypeSource): unknown {
  if (structureOf(value, place, types) === 'leaf') return value
  const kept = [...partsOf(value, place, types)].flatMap(([element, part]) => {
    const old = before.child(element)
    if (old.isEmpty) return [[element, part.value] as const]
    if (owned.child(element).isEmpty) return []
    const pruned = prune(part.value, old, owned.child(element), part.place, types)
    return pruned === undefined ? [] : [[element, pruned] as const]
  })
  if (kept.length === 0 && Object.keys(value as object).length > 0) return undefined
  if (isObject(value)) return Object.fromEntries(kept.map(([element, item]) => [element.slice(2), item]))
  return kept.map(([, item]) => item)
}
