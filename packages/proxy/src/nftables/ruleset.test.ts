import { expect, test } from 'vitest'
import { change, rewrite, type Chain, type Ruleset, type SetDeclaration } from './ruleset.ts'

const hook = 'type nat hook prerouting priority -100; policy accept;'

function ruleset(chains: Record<string, string[]>, services: Record<string, string>, sets: string[] = []): Ruleset {
  return {
    sets: new Map<string, SetDeclaration>([
      ['services', { kind: 'map', spec: 'type ipv4_addr : verdict;' }],
      ...sets.map((name): [string, SetDeclaration] => [name, { kind: 'set', spec: 'type ipv4_addr;' }]),
    ]),
    chains: new Map<string, Chain>([
      ['prerouting', { hook, rules: ['ip daddr vmap @services'] }],
      ...Object.entries(chains).map(([name, rules]): [string, Chain] => [name, { rules }]),
    ]),
    elements: new Map([['services', new Map(Object.entries(services))]]),
  }
}

const one = ruleset({ web: ['dnat to 10.0.0.1'] }, { '10.96.0.1': 'goto web' })

test('written from nothing, names come before what uses them', () => {
  expect(rewrite('t', { chains: [], sets: [] }, one).split('\n')).toEqual([
    'add table ip t',
    'flush table ip t',
    'add map ip t services { type ipv4_addr : verdict; }',
    `add chain ip t prerouting { ${hook} }`,
    'add chain ip t web',
    'add rule ip t prerouting ip daddr vmap @services',
    'add rule ip t web dnat to 10.0.0.1',
    'add element ip t services { 10.96.0.1 : goto web }',
    '',
  ])
})

test('written over what is there, what is not wanted goes, and elements of known sets are written anew', () => {
  const present = {
    chains: ['prerouting', 'old'],
    sets: [
      { name: 'services', kind: 'map' as const },
      { name: 'affinity-old', kind: 'set' as const },
    ],
  }
  const lines = rewrite('t', present, one).split('\n')
  expect(lines.slice(0, 4)).toEqual([
    'add table ip t',
    'flush table ip t',
    'flush map ip t services',
    'flush set ip t affinity-old',
  ])
  expect(lines.slice(-3)).toEqual(['delete chain ip t old', 'delete set ip t affinity-old', ''])
})

test('nothing differs: nothing is written', () => {
  expect(change('t', one, ruleset({ web: ['dnat to 10.0.0.1'] }, { '10.96.0.1': 'goto web' }))).toBe('')
})

test.each<[string, Ruleset, string[]]>([
  [
    'a chain has other rules',
    ruleset({ web: ['dnat to 10.0.0.2'] }, { '10.96.0.1': 'goto web' }),
    ['flush chain ip t web', 'add rule ip t web dnat to 10.0.0.2'],
  ],
  [
    'an element has another value',
    ruleset({ web: ['dnat to 10.0.0.1'], db: ['drop'] }, { '10.96.0.1': 'goto db' }),
    [
      'add chain ip t db',
      'delete element ip t services { 10.96.0.1 : goto web }',
      'flush chain ip t db',
      'add rule ip t db drop',
      'add element ip t services { 10.96.0.1 : goto db }',
    ],
  ],
  [
    'all is gone',
    ruleset({}, {}),
    ['delete element ip t services { 10.96.0.1 : goto web }', 'flush chain ip t web', 'delete chain ip t web'],
  ],
  [
    'a set comes',
    ruleset({ web: ['dnat to 10.0.0.1'] }, { '10.96.0.1': 'goto web' }, ['clients']),
    ['add set ip t clients { type ipv4_addr; }'],
  ],
])('only what differs is written: %s', (_name, next, expected) => {
  expect(change('t', one, next).trimEnd().split('\n')).toEqual(expected)
})
