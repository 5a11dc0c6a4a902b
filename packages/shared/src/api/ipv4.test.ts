import { expect, test } from 'vitest'
import { contains } from './ipv4.ts'

test.each<[string, string, boolean]>([
  ['127.64.1.0/24', '127.64.1.7', true],
  ['127.64.1.0/24', '127.64.2.7', false],
  ['127.96.0.0/16', '127.96.255.1', true],
  ['10.0.0.1/32', '10.0.0.1', true],
  ['10.0.0.1/32', '10.0.0.2', false],
  ['200.0.0.0/8', '200.255.0.1', true],
  ['127.64.1.0/24', '::1', false],
  ['127.64.1.0/24', '', false],
])('%s contains %s: %s', (cidr, address, expected) => {
  expect(contains(cidr, address)).toBe(expected)
})
