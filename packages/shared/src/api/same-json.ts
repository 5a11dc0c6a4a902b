/**
 * Whether two values would be the same JSON: key order does not matter, and undefined is absent.
 */

export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]))
  }
  const left = definedKeys(a)
  const right = definedKeys(b)
  return (
    left.length === right.length &&
    left.every((key) => Object.hasOwn(b, key) && sameJson((a as Fields)[key], (b as Fields)[key]))
  )
}

type Fields = Record<string, unknown>

function definedKeys(value: object): string[] {
  return Object.keys(value).filter((key) => (value as Fields)[key] !== undefined)
}
