import { expect, test } from 'vitest'
import { holdSlot, nodeAddress, podCidr, preferredSlot, serviceCidr, slots } from './slot.ts'

test('gives every slot addresses of its own', () => {
  expect([nodeAddress(0, 1), podCidr(0, 1), serviceCidr(0)]).toEqual(['127.64.1.1', '127.64.1.0/24', '127.96.0.0/16'])
  expect([nodeAddress(31, 3), podCidr(31, 3), serviceCidr(31)]).toEqual([
    '127.95.3.1',
    '127.95.3.0/24',
    '127.127.0.0/16',
  ])
})

test('has the ordinary cluster at the beginning and every other one at a place that stays', () => {
  expect(preferredSlot(undefined)).toBe(0)
  expect(preferredSlot('/tmp/a')).toBe(preferredSlot('/tmp/a'))
  const places = new Set(Array.from({ length: 200 }, (_, index) => preferredSlot(`/tmp/${index}`)))
  expect(Math.max(...places)).toBeLessThan(slots)
  expect(places.size).toBeGreaterThan(slots / 2)
})

test('gives a slot to one cluster at a time', async () => {
  const first = await holdSlot(undefined, 30)
  const second = await holdSlot(undefined, first.slot)
  try {
    expect(second.slot).not.toBe(first.slot)
    await expect(holdSlot(first.slot, 0)).rejects.toThrow('in use by another running cluster')
  } finally {
    first.hold.close()
    second.hold.close()
  }
})
