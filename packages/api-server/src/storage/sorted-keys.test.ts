import { expect, test } from 'vitest'
import { randomNumbers } from '../testing/database-fixture.ts'
import { SortedKeys } from './sorted-keys.ts'

test.each([1, 2, 3])('is what one sorted array would be, whatever comes and goes (seed %i)', (seed) => {
  const random = randomNumbers(seed)
  const keys = new SortedKeys()
  const naive = new Set<string>()
  const newKey = () => `/${'abc'[random(3)]}/${random(4_000)}`
  if (seed > 1) {
    for (let count = 0; count < 3_000; count++) naive.add(newKey())
    keys.load(naive)
  }
  const compare = () => {
    const sorted = [...naive].sort()
    for (const [start, end] of [
      ['', '\uffff'],
      ['/b/', '/b/\uffff'],
      [newKey(), newKey()],
      ['/c/2', '/c/2'],
      ['/d', '/e'],
    ] as const) {
      const wanted = sorted.filter((key) => key >= start && key < end)
      expect(keys.count(start, end)).toBe(wanted.length)
      for (const limit of [Infinity, 1, 300, 700]) expect(keys.slice(start, end, limit)).toEqual(wanted.slice(0, limit))
    }
  }
  for (let round = 0; round < 8_000; round++) {
    const key = newKey()
    if (naive.delete(key)) keys.delete(key)
    else {
      naive.add(key)
      keys.add(key)
    }
    if (round % 800 === 0) compare()
  }
  for (const key of naive) {
    naive.delete(key)
    keys.delete(key)
    if (naive.size % 700 === 0) compare()
  }
  compare()
})
