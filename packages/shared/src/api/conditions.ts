/**
 * Conditions: the list in a status that says what is true of an object, and since when. Both functions are pure;
 * `setCondition` returns the same list (same identity) when nothing changed, so callers can tell with `===` whether
 * there is a status to write.
 */

export interface ConditionLike {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export function getCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Whether the condition is there and "True". */
export function isConditionTrue(conditions: readonly ConditionLike[] | undefined, type: string): boolean {
  return getCondition(conditions, type)?.status === 'True'
}

/**
 * Puts `next` in the place of the condition of the same type. lastTransitionTime moves to `now` (RFC 3339) only when
 * the status changes: a new reason or message for the same status is not a transition.
 */
export function setCondition<C extends ConditionLike>(conditions: C[] | undefined, next: C, now: string): C[] {
  const list = conditions ?? []
  const index = list.findIndex((condition) => condition.type === next.type)
  const previous = list[index]
  if (previous === undefined) return [...list, { ...next, lastTransitionTime: next.lastTransitionTime ?? now }]
  const lastTransitionTime = previous.status === next.status ? (previous.lastTransitionTime ?? now) : now
  const merged = { ...next, lastTransitionTime }
  return isSame(previous, merged) ? list : list.with(index, merged)
}

function isSame(a: ConditionLike, b: ConditionLike): boolean {
  const left: Record<string, unknown> = { ...a }
  const right: Record<string, unknown> = { ...b }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].every((key) => left[key] === right[key])
}
