import { expect, test } from 'vitest'
import { slots } from './addresses.ts'
import { holdSlot, preferredSlot } from './slot.ts'

test('has the ordinary cluster at the beginning and every other one at a place that stays', () => {
  expect(preferredSlot(undefined)).toBe(0)
  expect(preferredSlot('/tmp/a')).toBe(preferredSlot('/tmp/a'))
  const places = new Set(Array.from({ length: 200 }, (_, index) => preferredSlot(`/tmp/${index}`)))
  expect(Math.max(...places)).toBeLessThan(slots)
  expect(places.size).toBeGreaterThan(slots / 2)
})

test('gives a slot to one cluster at a time', async () => {
  const first = await holdSlot({ preferred: 30 })
  const second = await holdSlot({ preferred: first.slot })
  try {
    expect(second.slot).not.toBe(first.slot)
    await expect(holdSlot({ wanted: first.slot, preferred: 0 })).rejects.toThrow('in use by another running cluster')
  } finally {
    first.hold.close()
    second.hold.close()
  }
})

test('passes over a slot whose addresses lead elsewhere, and says why the own one cannot be had', async () => {
  const whyTaken = (slot: number) => (slot === 30 ? 'a route is in the way' : undefined)
  const { slot, hold } = await holdSlot({ preferred: 30, whyTaken })
  hold.close()
  expect(slot).not.toBe(30)
  await expect(holdSlot({ wanted: 30, preferred: 0, whyTaken })).rejects.toThrow('a route is in the way')
})
