import { describe, expect, test } from 'vitest'
import { parseSchedule, scheduleFault } from './cron-schedule.ts'
import { isTimeZone } from './wall-clock.ts'

/** The next times after `from`, in UTC, without the year where it stays the same. */
function times(schedule: string, from: string, count: number, zone = 'UTC'): string[] {
  const parsed = parseSchedule(schedule)
  const found: string[] = []
  let time: number | undefined = Date.parse(from)
  while (found.length < count) {
    time = parsed.next(time, zone)
    if (time === undefined) break
    found.push(new Date(time).toISOString().slice(0, 16))
  }
  return found
}

describe('schedules', () => {
  // 2025-01-01 is a Wednesday.
  test.each([
    ['*/20 * * * *', ['2025-01-01T00:20', '2025-01-01T00:40', '2025-01-01T01:00']],
    ['5 4 * * *', ['2025-01-01T04:05', '2025-01-02T04:05']],
    ['0 9-17/4 * * MON-FRI', ['2025-01-01T09:00', '2025-01-01T13:00', '2025-01-01T17:00', '2025-01-02T09:00']],
    ['0 0 1 */6 *', ['2025-07-01T00:00', '2026-01-01T00:00']],
    ['0 0 31 * *', ['2025-01-31T00:00', '2025-03-31T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00']],
    ['0 0 30 2 *', []],
    ['30 12 ? jan,Mar sun', ['2025-01-05T12:30', '2025-01-12T12:30']],
    ['0 0 13 * FRI', ['2025-01-03T00:00', '2025-01-10T00:00', '2025-01-13T00:00']],
    ['0 0 * * FRI', ['2025-01-03T00:00', '2025-01-10T00:00']],
    ['0 0 */10 * FRI', ['2025-01-03T00:00', '2025-01-10T00:00', '2025-01-11T00:00']],
    ['50/5 23 * * *', ['2025-01-01T23:50', '2025-01-01T23:55', '2025-01-02T23:50']],
    ['@hourly', ['2025-01-01T01:00', '2025-01-01T02:00']],
    ['@weekly', ['2025-01-05T00:00']],
    ['@every 90m', ['2025-01-01T01:30', '2025-01-01T03:00']],
  ])('%s', (schedule, expected) => {
    expect(times(schedule, '2025-01-01T00:00:00Z', expected.length || 1)).toEqual(expected)
  })

  test.each([
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['*  * * * * *', 'expected exactly 5 fields, found 6: [* * * * * *]'],
    [' ', 'empty spec string'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* 24 * * *', 'end of range (24) above maximum (23): 24'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * 13 *', 'end of range (13) above maximum (12): 13'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['*/5/5 * * * *', 'too many slashes: */5/5'],
    ['@fortnightly', 'unrecognized descriptor: @fortnightly'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ])('%s: %s', (schedule, fault) => {
    expect(scheduleFault(schedule)).toBe(fault)
    expect(() => parseSchedule(schedule)).toThrow(RangeError)
  })

  test('begins with the minute after', () => {
    expect(times('* * * * *', '2025-01-01T00:00:00Z', 1)).toEqual(['2025-01-01T00:01'])
    expect(times('* * * * *', '2025-01-01T00:00:59.999Z', 1)).toEqual(['2025-01-01T00:01'])
  })

  describe('in a time zone', () => {
    test('means the time on its walls', () => {
      expect(times('30 9 * * *', '2025-01-01T00:00:00Z', 1, 'Asia/Kolkata')).toEqual(['2025-01-01T04:00'])
      expect(times('0 0 * * *', '2025-01-01T12:00:00Z', 2, 'America/New_York')).toEqual([
        '2025-01-02T05:00',
        '2025-01-03T05:00',
      ])
    })

    test('skips what the change to summer time skips', () => {
      // Berlin, 2025-03-30: 02:00 becomes 03:00.
      expect(times('30 2 * * *', '2025-03-29T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-03-31T00:30',
        '2025-04-01T00:30',
      ])
      expect(times('0 4 * * *', '2025-03-29T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-03-30T02:00',
        '2025-03-31T02:00',
      ])
    })

    test('runs every hour of a day of 25 hours', () => {
      expect(times('0 * * * *', '2025-10-26T00:30:00Z', 3, 'Europe/Berlin')).toEqual([
        '2025-10-26T01:00',
        '2025-10-26T02:00',
        '2025-10-26T03:00',
      ])
      expect(times('0 12 * * *', '2025-10-25T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
        '2025-10-26T11:00',
        '2025-10-27T11:00',
      ])
    })

    test('finds the first minute of a day where there is no midnight', () => {
      // Beirut, 2025-03-30: 00:00 becomes 01:00.
      expect(times('* * 30 3 *', '2025-03-29T12:00:00Z', 1, 'Asia/Beirut')).toEqual(['2025-03-29T22:00'])
      expect(times('0 1 * * *', '2025-03-29T12:00:00Z', 2, 'Asia/Beirut')).toEqual([
        '2025-03-29T22:00',
        '2025-03-30T22:00',
      ])
    })

    test('knows which exist', () => {
      expect(isTimeZone('Europe/Berlin')).toBe(true)
      expect(isTimeZone('Europe/Atlantis')).toBe(false)
    })
  })
})
