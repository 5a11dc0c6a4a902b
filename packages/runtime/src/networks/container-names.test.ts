import { expect, test } from 'vitest'
import { type KnownNetwork, lookUp } from './container-names.ts'

const back: KnownNetwork = {
  name: 'back',
  members: [
    { name: 'db-1', ip: '172.18.0.2', names: ['db-1', 'db', '0123456789ab'], links: [] },
    { name: 'db-2', ip: '172.18.0.3', names: ['db-2', 'DB', 'a.b'], links: ['store'] },
  ],
}
const front: KnownNetwork = {
  name: 'my.front',
  members: [
    { name: 'db-2', ip: '172.19.0.2', names: ['db-2'], links: [] },
    { name: 'store', ip: '172.19.0.3', names: ['store'], links: ['db'] },
  ],
}

test.each([
  ['by name', 'db-1', ['172.18.0.2']],
  ['by the beginning of the id', '0123456789ab', ['172.18.0.2']],
  ['several that share an alias', 'db', ['172.18.0.2', '172.18.0.3']],
  ['in any case', 'Db', ['172.18.0.2', '172.18.0.3']],
  ['the first network that knows it', 'db-2', ['172.18.0.3']],
  ['on a network', 'db-2.my.front', ['172.19.0.2']],
  ['on a network of which the case is another', 'DB-2.MY.Front', ['172.19.0.2']],
  ['a name with a dot', 'a.b', ['172.18.0.3']],
  ['a name with a dot, on a network', 'a.b.back', ['172.18.0.3']],
  ['nobody', 'web', undefined],
  ['nobody on that network', 'store.back.my.front', undefined],
  ['a part of a name', 'db.b', undefined],
  ['the network itself', 'back', undefined],
  ['the empty name', '', undefined],
])('%s: %s', (_what, name, expected) => {
  // What is a link on one network does not matter here: see the next test.
  const plain = [back, front].map((each) => ({ ...each, members: each.members.map((one) => ({ ...one, links: [] })) }))
  const outcome = lookUp(name, 'A', plain)
  expect(
    outcome === 'elsewhere' ? undefined : outcome.answers.map((answer) => 'data' in answer && answer.data),
  ).toEqual(expected)
})

test('links come first', () => {
  expect(lookUp('db', 'A', [back, front])).toMatchObject({ answers: [{ data: '172.19.0.3' }] })
  expect(lookUp('store', 'A', [back, front])).toMatchObject({ answers: [{ data: '172.18.0.3' }] })
})

test('a name that is there has no records of other types, and nobody else is asked for them', () => {
  for (const type of ['AAAA', 'MX', 'TXT'] as const) expect(lookUp('db-1', type, [back])).toEqual({ answers: [] })
  expect(lookUp('web', 'AAAA', [back])).toBe('elsewhere')
})

test('whose address it is', () => {
  expect(lookUp('3.0.19.172.in-addr.arpa', 'PTR', [back, front])).toMatchObject({
    answers: [{ name: '3.0.19.172.in-addr.arpa', type: 'PTR', data: 'store.my.front' }],
  })
  expect(lookUp('9.9.9.9.in-addr.arpa', 'PTR', [back, front])).toBe('elsewhere')
})
