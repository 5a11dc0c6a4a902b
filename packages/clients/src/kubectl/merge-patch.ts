/**
 * The three-way JSON merge patch (RFC 7386) behind `apply`. Pure.
 *
 * Invariant: applying the result to `live` makes it agree with `modified` wherever `modified` says something, removes
 * what `original` had and `modified` has no more, and touches nothing else. `undefined` means: nothing to do.
 */

import { isDeepStrictEqual } from 'node:util'

type JsonObject = Record<string, unknown>

export function threeWayMergePatch(original: unknown, modified: unknown, live: unknown): unknown {
  if (!isObject(modified) || !isObject(live)) return sameOrUntouched(original, modified, live) ? undefined : modified
  const before = isObject(original) ? original : {}
  const patch: JsonObject = {}
  for (const [key, value] of Object.entries(modified)) {
    const change = key in live ? threeWayMergePatch(before[key], value, live[key]) : value
    if (change !== undefined) patch[key] = change
  }
  for (const key of Object.keys(before)) if (!(key in modified) && key in live) patch[key] = null
  return Object.keys(patch).length > 0 ? patch : undefined
}

// A list that the manifest did not change since it was last applied may have gained what the server filled in
// (defaults, a node port): it agrees with the manifest as long as it still contains all that the manifest says.
function sameOrUntouched(original: unknown, modified: unknown, live: unknown): boolean {
  return isDeepStrictEqual(modified, live) || (isDeepStrictEqual(original, modified) && contains(live, modified))
}

function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && whole.length === part.length && part.every((item, i) => contains(whole[i], item))
  }
  if (!isObject(part)) return isDeepStrictEqual(whole, part)
  return isObject(whole) && Object.entries(part).every(([key, value]) => contains(whole[key], value))
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
