import { expect, test } from 'vitest'
import { currentLimit, type Level, seatsOf } from './concurrency.ts'

test.each([
  [
    { shares: 30, lendablePercent: 33, borrowingLimitPercent: undefined },
    { nominal: 74, lendable: 24, borrowable: Infinity },
  ],
  [
    { shares: 100, lendablePercent: 90, borrowingLimitPercent: 50 },
    { nominal: 245, lendable: 221, borrowable: 123 },
  ],
  [
    { shares: 0, lendablePercent: 0, borrowingLimitPercent: 0 },
    { nominal: 0, lendable: 0, borrowable: 0 },
  ],
])('%o of 245 shares and 600 seats', (shares, seats) => {
  expect(seatsOf(shares, 245, 600)).toEqual(seats)
})

function level(nominal: number, lendable: number, seatsInUse: number, borrowable = Infinity): Level {
  return { nominal, lendable, seatsInUse, borrowable }
}

test.each<[string, Level, Level[], number]>([
  ['its own part, if others lend nothing', level(10, 0, 10), [level(20, 0, 0)], 10],
  ['what others lend and do not use', level(10, 0, 10), [level(20, 10, 0), level(20, 5, 18)], 22],
  ['no more than it may borrow', level(10, 0, 10, 3), [level(20, 10, 0)], 13],
  ['not what others have borrowed already', level(10, 0, 10), [level(20, 10, 0), level(5, 0, 11)], 14],
  ['what it has borrowed, until that comes back', level(10, 0, 15), [level(20, 10, 20)], 15],
])('a level may use %s', (_, one, others, limit) => {
  expect(currentLimit(one, [one, ...others])).toBe(limit)
})
