import { describe, expect, test } from 'vitest'
import {
  addQuantities,
  bytes,
  canonicalQuantity,
  compareQuantities,
  isQuantity,
  milliCpu,
  quantityToNumber,
  subtractQuantities,
} from './quantity.ts'

describe('canonicalQuantity', () => {
  test.each([
    ['0', '0'],
    ['0.0', '0'],
    ['0Mi', '0'],
    ['1', '1'],
    ['+1', '1'],
    ['-1', '-1'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1.5', '1500m'],
    ['0.1', '100m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['1000', '1k'],
    ['1001', '1001'],
    ['1000000k', '1G'],
    ['64Mi', '64Mi'],
    ['1024Mi', '1Gi'],
    ['0.5Gi', '512Mi'],
    ['1.5Gi', '1536Mi'],
    ['1023', '1023'],
    ['1024', '1024'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['0.1Gi', '107374183'], // not a whole number of bytes: rounds up
    ['1e3', '1e3'],
    ['100e2', '10e3'],
    ['12E6', '12e6'],
    ['5e0', '5'],
    ['1E', '1E'],
    ['1n', '1n'],
    ['0.5n', '1n'], // finer than a billionth: rounds up
    ['123456789n', '123456789n'],
    ['16Ei', '16Ei'],
  ])('%s → %s', (text, expected) => expect(canonicalQuantity(text)).toBe(expected))

  test('is a fixed point', () => {
    for (const text of ['0.1Gi', '1500m', '100e2', '1023Ki']) {
      expect(canonicalQuantity(canonicalQuantity(text))).toBe(canonicalQuantity(text))
    }
  })
})

test.each(['', 'abc', '1.2.3', '1 Gi', 'Gi', '1Kb', '--1', '1mi', '1e', '1e1.5'])('refuses %j', (text) => {
  expect(isQuantity(text)).toBe(false)
  expect(() => canonicalQuantity(text)).toThrow('quantities must match')
})

test('numbers of the units that components count in', () => {
  expect(milliCpu('250m')).toBe(250)
  expect(milliCpu('0.0001')).toBe(1)
  expect(milliCpu(2)).toBe(2000)
  expect(bytes('64Mi')).toBe(67_108_864)
  expect(bytes('1m')).toBe(1)
  expect(quantityToNumber('250m')).toBe(0.25)
  expect(quantityToNumber('9007199254740993')).toBe(Number(9007199254740993n))
})

test('compares and adds across formats', () => {
  expect(compareQuantities('1', '1000m')).toBe(0)
  expect(compareQuantities('1Gi', '1G')).toBe(1)
  expect(addQuantities('500m', '1.5')).toBe('2')
  expect(addQuantities('0', '512Mi')).toBe('512Mi')
  expect(subtractQuantities('1Gi', '512Mi')).toBe('512Mi')
  expect(subtractQuantities('1', '1500m')).toBe('-500m')
})
