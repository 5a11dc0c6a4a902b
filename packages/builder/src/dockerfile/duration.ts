/** Go's durations (`1m30s`, `500ms`), in which Dockerfiles and the Docker API write times. */

const units: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** Nanoseconds. Throws with the message of Go's time.ParseDuration. */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text)
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/.exec(text) ?? []
  if (rest === '0') return 0
  if (rest === '') throw new Error(`time: invalid duration ${quoted}`)
  let total = 0
  let at = 0
  for (const match of rest.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]*)/gy)) {
    const [part, amount = '', unit = ''] = match
    if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`)
    const factor = units[unit]
    if (factor === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`)
    total += Number(amount) * factor
    at += part.length
  }
  if (at !== rest.length) throw new Error(`time: invalid duration ${quoted}`)
  return sign === '-' ? -total : total
}

/** `90s` → `1m30s`, as Go prints a duration. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  if (nanoseconds < 1e9) {
    const unit = nanoseconds < 1e3 ? 'ns' : nanoseconds < 1e6 ? 'µs' : 'ms'
    return `${nanoseconds / (units[unit] ?? 1)}${unit}`
  }
  const hours = Math.floor(nanoseconds / 3600e9)
  const minutes = Math.floor((nanoseconds % 3600e9) / 60e9)
  const seconds = (nanoseconds % 60e9) / 1e9
  return (hours > 0 ? `${hours}h` : '') + (hours > 0 || minutes > 0 ? `${minutes}m` : '') + `${seconds}s`
}
