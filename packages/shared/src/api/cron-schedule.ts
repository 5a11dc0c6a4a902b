/**
 * When a CronJob is due: the five fields of cron, read once and then asked for times. Pure. The api-server reads a
 * schedule to see whether it is one, the controller to follow it.
 *
 *     ┌ minute 0–59 │ hour 0–23 │ day of month 1–31 │ month 1–12 or JAN–DEC │ day of week 0–6 or SUN–SAT (7 is no day)
 *     │ each: `*` or `?`, `5`, `1-5`, `0/15`, `10-20/2`, `5/10` (from 5 on), lists with commas
 *     │ or a macro: @hourly @daily @midnight @weekly @monthly @yearly @annually, or `@every 1h30m`
 *
 * If both the day of month and the day of week are restricted, either may match; otherwise both must.
 * The dialect is that of robfig/cron, which Kubernetes uses, and so are the complaints. Times of day that a change to
 * summer time skips are skipped; one that comes twice in autumn runs twice if the hour is a wildcard.
 */

import { parseDuration } from './duration.ts'
import { wallClock, type WallClock } from './wall-clock.ts'

export interface CronSchedule {
  /** The first time after `afterMs`, both in milliseconds since the epoch; undefined if there is none in five years. */
  next(afterMs: number, timeZone: string | undefined): number | undefined
}

/** Throws a RangeError that says what is wrong. */
export function parseSchedule(text: string): CronSchedule {
  const trimmed = text.trim()
  if (trimmed === '') throw new RangeError('empty spec string')
  if (trimmed.startsWith('@every ')) return every(trimmed.slice('@every '.length))
  const macro = macros[trimmed]
  if (trimmed.startsWith('@') && macro === undefined) throw new RangeError(`unrecognized descriptor: ${trimmed}`)
  const fields = (macro ?? trimmed).split(/\s+/)
  if (fields.length !== 5) {
    throw new RangeError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`)
  }
  const [minute, hour, day, month, weekday] = fields.map((field, index) => parseField(field, bounds[index] as Bounds))
  return fromFields({ minute, hour, day, month, weekday } as Fields)
}

/** What is wrong with a schedule; undefined if nothing is. */
export function scheduleFault(text: string): string | undefined {
  try {
    parseSchedule(text)
    return undefined
  } catch (error) {
    if (error instanceof RangeError) return error.message
    throw error
  }
}

const macros: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

interface Bounds {
  least: number
  most: number
  names?: string[]
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const bounds: Bounds[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: months },
  { least: 0, most: 6, names: weekdays },
]

interface Field {
  values: Set<number>
  /** Written as a wildcard: it does not restrict the days. */
  isAny: boolean
}

type Fields = Record<'minute' | 'hour' | 'day' | 'month' | 'weekday', Field>

function parseField(text: string, within: Bounds): Field {
  const ranges = text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => parseRange(part, within))
  const values = ranges.flatMap(({ from, to, step }) => {
    return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step)
  })
  return { values: new Set(values), isAny: ranges.some(({ isWildcard, step }) => isWildcard && step === 1) }
}

interface Range {
  from: number
  to: number
  step: number
  isWildcard: boolean
}

/** One of: *, ?, 5, 1-5, any of them with /step. */
function parseRange(text: string, within: Bounds): Range {
  const [span = '', stepText, ...more] = text.split('/')
  const isWildcard = span === '*' || span === '?'
  const [from, to] = isWildcard ? [within.least, within.most] : parseSpan(span, text, within, stepText !== undefined)
  if (more.length > 0) throw new RangeError(`too many slashes: ${text}`)
  const step = stepText === undefined ? 1 : parseNumber(stepText)
  if (from < within.least) throw new RangeError(`beginning of range (${from}) below minimum (${within.least}): ${text}`)
  if (to > within.most) throw new RangeError(`end of range (${to}) above maximum (${within.most}): ${text}`)
  if (from > to) throw new RangeError(`beginning of range (${from}) beyond end of range (${to}): ${text}`)
  if (step === 0) throw new RangeError(`step of range should be a positive number: ${text}`)
  return { from, to, step, isWildcard }
}

function parseSpan(span: string, text: string, within: Bounds, hasStep: boolean): [number, number] {
  const [first = '', last, ...more] = span.split('-')
  if (more.length > 0) throw new RangeError(`too many hyphens: ${text}`)
  const from = parseValue(first, within)
  if (last !== undefined) return [from, parseValue(last, within)]
  return [from, hasStep ? within.most : from]
}

function parseValue(text: string, { least, names }: Bounds): number {
  const index = names?.indexOf(text.toUpperCase()) ?? -1
  return index < 0 ? parseNumber(text) : index + least
}

function parseNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const problem = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
  throw new RangeError(`failed to parse int from ${text}: ${problem}`)
}

/** At a fixed distance; counted from the last time, not from a clock's full hours. */
function every(text: string): CronSchedule {
  const duration = parseDuration(text)
  if (duration === undefined) {
    throw new RangeError(`failed to parse duration @every ${text}: time: invalid duration ${JSON.stringify(text)}`)
  }
  const step = Math.max(1000, Math.floor(duration / 1000) * 1000)
  return { next: (after) => Math.floor(after / 1000) * 1000 + step }
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const yearsAhead = 5

function fromFields(fields: Fields): CronSchedule {
  return {
    next(afterMs, timeZone) {
      let time = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs
      const limit = time + yearsAhead * 366 * 24 * hourMs
      while (time < limit) {
        const wall = wallClock(time, timeZone)
        if (!matchesDay(fields, wall)) time = nextDay(time, wall, timeZone)
        // In real time, so that an hour which the wall clock skips or repeats is simply passed through.
        else if (!fields.hour.values.has(wall.hour)) time += hourMs - wall.minute * minuteMs
        else if (!fields.minute.values.has(wall.minute)) time += minuteMs
        else return time
      }
      return undefined
    },
  }
}

function matchesDay({ day, month, weekday }: Fields, wall: WallClock): boolean {
  if (!month.values.has(wall.month)) return false
  const [isDay, isWeekday] = [day.values.has(wall.day), weekday.values.has(wall.weekday)]
  return day.isAny || weekday.isAny ? isDay && isWeekday : isDay || isWeekday
}

/** The first moment of the next day on the wall; not always 24 hours on, and not always at 00:00. */
function nextDay(time: number, { hour, minute, day }: WallClock, timeZone: string | undefined): number {
  let next = time + (24 - hour) * hourMs - minute * minuteMs
  const landed = wallClock(next, timeZone)
  if (landed.day === day) {
    // The day has 25 hours: still an hour to go.
    next += hourMs - landed.minute * minuteMs
  } else if (landed.hour > 0) {
    // It has 23, or the new day begins at one o'clock: back to its first moment, if that exists.
    const back = next - landed.hour * hourMs
    if (wallClock(back, timeZone).day === landed.day) next = back
  }
  return next
}
