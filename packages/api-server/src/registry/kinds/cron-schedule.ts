// Whether a text is a cron schedule, with the complaints of the parser that Kubernetes uses (robfig/cron).

interface Field {
  name: string
  min: number
  max: number
  names?: string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const FIELDS: Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 6, names: DAYS },
]

const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/** What is wrong with it; undefined if nothing is. */
export function cronScheduleFault(schedule: string): string | undefined {
  const text = schedule.trim()
  if (text === '') return 'empty spec string'
  if (text.startsWith('@every ')) {
    return /^@every (\d+(\.\d+)?(h|m|s|ms|us|ns))+$/.test(text) ? undefined : `failed to parse duration ${text}`
  }
  if (text.startsWith('@')) return DESCRIPTORS.includes(text) ? undefined : `unrecognized descriptor: ${text}`
  const parts = text.split(/\s+/)
  if (parts.length !== FIELDS.length) {
    return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`
  }
  for (const [i, field] of FIELDS.entries()) {
    for (const range of (parts[i] ?? '').split(',')) {
      const fault = rangeFault(range, field)
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

/** One of: *, ?, 5, 1-5, any of them with /step. */
function rangeFault(text: string, field: Field): string | undefined {
  const [range = '', step, ...extra] = text.split('/')
  if (extra.length > 0) return `too many slashes: ${text}`
  if (step !== undefined && !/^\d+$/.test(step))
    return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`
  if (step === '0') return `step of range should be a positive number: ${text}`
  if (range === '*' || range === '?') return undefined
  const [low = '', high, ...more] = range.split('-')
  if (more.length > 0) return `too many hyphens: ${text}`
  const start = valueOf(low, field)
  const end = high === undefined ? start : valueOf(high, field)
  if (typeof start === 'string') return start
  if (typeof end === 'string') return end
  if (start < field.min) return `beginning of range (${start}) below minimum (${field.min}): ${text}`
  if (end > field.max) return `end of range (${end}) above maximum (${field.max}): ${text}`
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${text}` : undefined
}

/** The number, or what is wrong with it. */
function valueOf(text: string, { names, min }: Field): number | string {
  const index = names?.indexOf(text.toLowerCase()) ?? -1
  if (index >= 0) return index + min
  return /^\d+$/.test(text)
    ? Number(text)
    : `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
}
