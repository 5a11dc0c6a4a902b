/** What a clock on the wall shows at a moment in a time zone (IANA name; undefined is this machine's own). Pure. */

export interface WallClock {
  month: number
  day: number
  /** 0 is Sunday. */
  weekday: number
  hour: number
  minute: number
}

export function wallClock(ms: number, timeZone: string | undefined): WallClock {
  const values = Object.fromEntries(
    formatFor(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, value]),
  )
  return {
    month: Number(values['month']),
    day: Number(values['day']),
    weekday: shortWeekdays.indexOf(values['weekday'] ?? ''),
    hour: Number(values['hour']),
    minute: Number(values['minute']),
  }
}

export function isTimeZone(name: string): boolean {
  try {
    formatFor(name)
    return true
  } catch (error) {
    // That is how Intl says that it does not know the name.
    if (error instanceof RangeError) return false
    throw error
  }
}

const shortWeekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const formats = new Map<string | undefined, Intl.DateTimeFormat>()

/** Making one takes much longer than using it. */
function formatFor(timeZone: string | undefined): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === undefined ? {} : { timeZone }),
    hourCycle: 'h23',
    month: 'numeric',
    day: 'numeric',
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
  })
  formats.set(timeZone, format)
  return format
}
