import { FakeClock } from '@dinghy/shared/api/clock'
import { expect, test } from 'vitest'
import { Balancer } from './balancer.ts'
import type { Backend } from '../rules/endpoints.ts'
import type { Rule } from './rules.ts'

const backends: Backend[] = ['a', 'b', 'c'].map((address, i) => ({ address, port: 80, node: `node-${i + 1}` }))
const rule: Rule = {
  address: '127.96.0.10',
  port: 80,
  protocol: 'TCP',
  kind: 'ClusterIP',
  service: 'shop/web',
  portName: '',
  backends,
  keepsToClientNode: false,
}
const client = { address: '127.64.1.9', node: 'node-2' }
function names(order: Backend[]): string {
  return order.map(({ address }) => address).join('')
}

test('backends take turns, and each order names every backend', () => {
  const balancer = new Balancer(new FakeClock())
  expect(Array.from({ length: 4 }, () => names(balancer.order(rule, client)))).toEqual(['abc', 'bca', 'cab', 'abc'])
})

test('whoever is outside of the source ranges gets none', () => {
  const balancer = new Balancer(new FakeClock())
  const narrow = { ...rule, sourceRanges: ['10.0.0.0/8', '127.64.1.0/24'] }
  expect(names(balancer.order(narrow, client))).toBe('abc')
  expect(balancer.order(narrow, { address: '127.64.2.9', node: 'node-2' })).toEqual([])
})

test('no backends, no order', () => {
  expect(new Balancer(new FakeClock()).order({ ...rule, backends: [] }, client)).toEqual([])
})

test("a rule that keeps to the client's node offers nothing else", () => {
  const balancer = new Balancer(new FakeClock())
  const local = { ...rule, keepsToClientNode: true }
  expect(names(balancer.order(local, client))).toBe('b')
  expect(balancer.order(local, { ...client, node: 'node-9' })).toEqual([])
})

test('with affinity a client keeps its backend until it has stayed away too long', async () => {
  const clock = new FakeClock()
  const balancer = new Balancer(clock)
  const sticky = { ...rule, affinityMs: 60_000 }
  const visit = (address = client.address): string => {
    const order = balancer.order(sticky, { ...client, address })
    if (order[0]) balancer.connected(sticky, { address }, order[0])
    return names(order)
  }
  expect([visit(), visit(), visit('127.64.1.8')].map((order) => order[0])).toEqual(['a', 'a', 'c'])
  await clock.advance(59_999)
  expect(visit()[0]).toBe('a')
  await clock.advance(59_999)
  expect(visit()[0]).toBe('a')
  await clock.advance(60_000)
  expect(visit()[0]).toBe('c')
})

test('the others remain to be tried, and a kept backend that is gone is forgotten', () => {
  const balancer = new Balancer(new FakeClock())
  const sticky = { ...rule, affinityMs: 60_000 }
  balancer.connected(sticky, client, { address: 'c', port: 80 })
  expect(names(balancer.order(sticky, client))).toBe('cab')
  expect(names(balancer.order({ ...sticky, backends: backends.slice(0, 2) }, client))).toBe('ba')
})
