/**
 * The system's clock with the fractions of a millisecond that Docker's times have: `now()` is no whole number. It
 * counts on from where it was last seen to agree with the system's time, which somebody may set, and agrees again as
 * soon as the two are apart by more than a millisecond or two.
 */
import type { Clock } from '@dinghy/shared/api/clock'

const toleranceMs = 2

export function preciseClock(clock: Clock, counter: () => number = () => performance.now()): Clock {
  let offset = clock.now() - counter()
  return {
    now: () => {
      const counted = counter()
      const system = clock.now()
      if (Math.abs(offset + counted - system) > toleranceMs) offset = system - counted
      return offset + counted
    },
    setTimeout: (fn, ms) => clock.setTimeout(fn, ms),
    clear: (timer) => clock.clear(timer),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  }
}
