import { expect, test } from 'vitest'
import { nextAddress, plugScript, pluggedIn, podRangeOf, vethOf } from './plug.ts'

const range = podRangeOf('10.244.3.0/24')

test('the node has the first address of its range, pods the others', () => {
  expect(range.gateway).toBe('10.244.3.1')
  expect(nextAddress(range, new Set())).toBe('10.244.3.2')
  expect(nextAddress(podRangeOf('10.244.3.0/30'), new Set(['10.244.3.2']))).toBeUndefined()
})

test.each([
  ['the next one', ['10.244.3.2'], '10.244.3.2', '10.244.3.3'],
  ['not one that was just given back', [], '10.244.3.7', '10.244.3.8'],
  ['from the beginning after the last', ['10.244.3.2'], '10.244.3.254', '10.244.3.3'],
])('gives %s', (_what, taken, latest, expected) => {
  expect(nextAddress(range, new Set(taken), latest)).toBe(expected)
})

test('gives all of them, and then none', () => {
  const taken = new Set<string>()
  for (let address = nextAddress(range, taken); address !== undefined; address = nextAddress(range, taken)) {
    taken.add(address)
  }
  expect(taken.size).toBe(253)
})

test("reads who is plugged in from the node's routes", () => {
  const table = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t01001EAC\t0003\t0\t0\t0\t00000000\t0\t0\t0
*\t0003F40A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
veth0123456789a\t0503F40A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
vethffffffffffff\t0603F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`
  expect([...pluggedIn(table)]).toEqual([['veth0123456789a', '10.244.3.5']])
  expect(vethOf('0123456789abcdef')).toBe('veth0123456789a')
})

test('plugs a pod in by two processes, and the route of the node comes last', () => {
  const cable = { veth: 'vethabc', address: '10.244.3.5', gateway: '10.244.3.1' }
  expect(plugScript(cable, 42, '/proc/7/ns/net'))
    .toBe(`nsenter --net=/proc/42/ns/net ip -batch - <<POD && ip -batch - <<NODE
link add eth0 type veth peer name vethabc netns /proc/7/ns/net
address add 10.244.3.5/32 dev eth0
link set eth0 up
route add 10.244.3.1 dev eth0 scope link
route add default via 10.244.3.1
POD
address add 10.244.3.1/32 dev vethabc
link set vethabc up
route add 10.244.3.5 dev vethabc scope link
NODE
`)
})
