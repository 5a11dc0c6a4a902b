/**
 * JSON merge patch (RFC 7386): objects merge, null deletes, everything else – lists included – replaces.
 */

import { isObject } from '../shape/json.ts'

/** Neither argument is changed; the result may share parts with both. */
export function mergePatch(original: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged = new Map(Object.entries(isObject(original) ? original : {}))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}
