/**
 * JSON values, as they come from outside: objects of unknown content, with keys that may be anything.
 */

export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Assigning "__proto__" would set the prototype instead of a key. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** Nothing of Kubernetes nests nearly so deep, and what follows a value to its leaves must not run out of stack. */
export const maxDepth = 1_000

export const tooDeep = 'exceeded max depth'

/** Throws SyntaxError for a value that nests too deep. */
export function requireShallow(value: unknown): void {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw new SyntaxError(tooDeep)
    const below: unknown[] = []
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue
      for (const child of Object.values(one)) if (typeof child === 'object' && child !== null) below.push(child)
    }
    level = below
  }
}
