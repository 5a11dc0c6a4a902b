import { expect, test } from 'vitest'
import { chooseAddress, parsePool, type Choice, type Wish } from './address-pool.ts'

const pool = { first: '172.30.0.254', last: '172.30.1.1' }

test.each<[string, Wish, string[], Choice]>([
  ['the first', {}, [], { address: '172.30.0.254' }],
  ['the next that is free', {}, ['172.30.0.254', '172.30.0.255'], { address: '172.30.1.0' }],
  ['what it has', { present: '172.30.1.1' }, ['172.30.0.254'], { address: '172.30.1.1' }],
  ['another, if what it has is taken', { present: '172.30.1.1' }, ['172.30.1.1'], { address: '172.30.0.254' }],
  ['another, if what it has is of no pool', { present: '10.0.0.1' }, [], { address: '172.30.0.254' }],
  ['what it wants', { wanted: '172.30.1.0', present: '172.30.1.1' }, [], { address: '172.30.1.0' }],
  [
    'a refusal: out of the pool',
    { wanted: '10.0.0.1' },
    [],
    { refused: 'spec.loadBalancerIP 10.0.0.1 is not in the pool 172.30.0.254-172.30.1.1' },
  ],
  [
    'a refusal: taken',
    { wanted: '172.30.1.0' },
    ['172.30.1.0'],
    { refused: 'spec.loadBalancerIP 172.30.1.0 is already in use by another Service' },
  ],
  [
    'a refusal: none is left',
    {},
    ['172.30.0.254', '172.30.0.255', '172.30.1.0', '172.30.1.1'],
    { refused: 'no address is left in the pool 172.30.0.254-172.30.1.1' },
  ],
])('gives %s', (_name, wish, taken, expected) => {
  expect(chooseAddress(pool, wish, new Set(taken))).toEqual(expected)
})

test.each([
  ['172.30.0.201-172.30.0.250', { first: '172.30.0.201', last: '172.30.0.250' }],
  ['172.30.0.250-172.30.0.201', undefined],
  ['172.30.0.201', undefined],
  ['a-b', undefined],
])('a pool: %s', (text, expected) => {
  expect(parsePool(text)).toEqual(expected)
})
