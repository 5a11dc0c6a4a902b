/** When a reconciler wants to be called again, should nothing happen before; undefined: only when something happens. */
export type Requeue = { requeueAfterMs: number } | undefined

/** The soonest of several reasons to come back; those that do not apply are undefined. */
export function requeueAfter(...waitsMs: (number | undefined)[]): Requeue {
  const known = waitsMs.filter((wait) => wait !== undefined)
  return known.length === 0 ? undefined : { requeueAfterMs: Math.min(...known) }
}
