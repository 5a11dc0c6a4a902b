import { expect, test } from 'vitest'
import { routesIn, whyTaken } from './machine-routes.ts'

const table = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000F40A\t00000000\t0001\t0\t0\t0\t0000FEFF\t0\t0\t0
dinghy3\t00031EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`

test("reads the kernel's table", () => {
  expect(routesIn(table)).toEqual([
    { range: '0.0.0.0/0', link: 'eth0' },
    { range: '192.0.2.0/24', link: 'eth0' },
    { range: '10.244.0.0/15', link: 'tun0' },
    { range: '172.30.3.0/24', link: 'dinghy3' },
  ])
})

test.each([
  ['the default route alone', 0, '0.0.0.0/0', undefined],
  ['a neighbour', 0, '10.243.0.0/16', undefined],
  ['a part of the pods', 0, '10.244.7.0/24', 'route to 10.244.7.0/24 by eth9'],
  ['more than the Services', 1, '10.0.0.0/8', "where the cluster's 10.133.0.0/16 is"],
  ['the switch of another slot', 2, '172.30.1.0/24', undefined],
  ['the very switch', 2, '172.30.2.0/24', "where the cluster's 172.30.2.0/24 is"],
  ['one address in it', 2, '172.30.2.9/32', "where the cluster's 172.30.2.0/24 is"],
])('a slot beside %s', (_name, slot, range, reason) => {
  const why = whyTaken(slot, [{ range, link: 'eth9' }])
  if (reason === undefined) expect(why).toBeUndefined()
  else expect(why).toContain(reason)
})

test('what a killed cluster has left is its own, and in the way of any other', () => {
  const left = [{ range: '172.30.3.0/24', link: 'dinghy3' }]
  expect(whyTaken(3, left, true)).toBeUndefined()
  expect(whyTaken(3, left)).toContain('dinghy3')
})
