/** IntOrString fields that count pods: maxSurge, maxUnavailable, minAvailable. Pure. */

/** `3` or `"25%"` of `total`. */
export function resolveIntOrPercent(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  if (percent === undefined)
    throw new TypeError(`invalid value for IntOrString: ${JSON.stringify(value)} is not a percentage`)
  return round((Number(percent) * total) / 100)
}
