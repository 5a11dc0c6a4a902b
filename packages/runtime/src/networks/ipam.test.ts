import { expect, test } from 'vitest'
import { allocate, chooseSubnet, formatAddress, formatSubnet, overlap, parseAddress, parseSubnet } from './ipam.ts'

test('addresses and subnets, to numbers and back', () => {
  expect(formatAddress(parseAddress('127.17.0.255'))).toBe('127.17.0.255')
  expect(formatSubnet(parseSubnet('127.64.1.9/24'))).toBe('127.64.1.0/24')
  for (const bad of ['1.2.3', '1.2.3.256', 'x']) expect(() => parseAddress(bad)).toThrow('invalid IP address')
  for (const bad of ['1.2.3.4', '1.2.3.4/31', '1.2.3.4/x']) expect(() => parseSubnet(bad)).toThrow('invalid subnet')
})

test.each([
  ['127.1.0.0/16', '127.1.2.0/24', true],
  ['127.1.2.0/24', '127.1.0.0/16', true],
  ['127.1.0.0/16', '127.2.0.0/16', false],
  ['127.1.0.0/25', '127.1.0.128/25', false],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(overlap(parseSubnet(a), parseSubnet(b))).toBe(expected)
})

const subnet = parseSubnet('127.1.0.0/29')
function taken(...last: number[]) {
  return new Set(last.map((octet) => parseAddress(`127.1.0.${octet}`)))
}

test('the lowest free address is given out, an asked-for one if it can be', () => {
  expect(formatAddress(allocate(subnet, taken(1)))).toBe('127.1.0.2')
  expect(formatAddress(allocate(subnet, taken(1, 2, 4)))).toBe('127.1.0.3')
  expect(formatAddress(allocate(subnet, taken(1), '127.1.0.5'))).toBe('127.1.0.5')
  expect(() => allocate(subnet, taken(5), '127.1.0.5')).toThrow('Address already in use')
  expect(() => allocate(subnet, taken(), '127.9.0.5')).toThrow('no configured subnet')
  expect(() => allocate(subnet, taken(1, 2, 3, 4, 5, 6))).toThrow('no available IPv4 addresses')
})

test('addresses can be kept to a part of the subnet', () => {
  const range = parseSubnet('127.1.0.4/30')
  expect(formatAddress(allocate(subnet, taken(1), undefined, range))).toBe('127.1.0.4')
  expect(formatAddress(allocate(subnet, taken(4, 5), undefined, range))).toBe('127.1.0.6')
  expect(formatAddress(allocate(subnet, taken(), '127.1.0.2', range))).toBe('127.1.0.2')
  expect(() => allocate(subnet, taken(4, 5, 6), undefined, range)).toThrow('no available IPv4 addresses')
})

test('a network without a subnet gets the first that is free', () => {
  const pools = ['127.18.0.0/16', '127.19.0.0/16'].map(parseSubnet)
  expect(formatSubnet(chooseSubnet(pools, [parseSubnet('127.18.5.0/24')]))).toBe('127.19.0.0/16')
  expect(() => chooseSubnet(pools, [parseSubnet('127.0.0.0/8')])).toThrow('fully subnetted')
})
