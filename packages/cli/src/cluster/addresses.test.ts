import { expect, test } from 'vitest'
import { addressesOf, rangesOf, slots } from './addresses.ts'

test('loopback: every slot has a part of 127.0.0.0/8', () => {
  const [first, last] = [addressesOf({ slot: 0 }), addressesOf({ network: 'loopback', slot: 31 })]
  expect([first.node(1), first.podCidr(1), first.serviceRange]).toEqual([
    '127.64.1.1',
    '127.64.1.0/24',
    '127.96.0.0/16',
  ])
  expect([last.node(3), last.podCidr(3), last.serviceRange]).toEqual(['127.95.3.1', '127.95.3.0/24', '127.127.0.0/16'])
})

test('machines: the first slot has the ranges of kubeadm, the others their neighbours', () => {
  const { node, podCidr, ...rest } = addressesOf({ network: 'machines', slot: 0 })
  expect([node(1), podCidr(1)]).toEqual(['172.30.0.11', '10.244.1.0/24'])
  expect(rest).toEqual({
    machine: '172.30.0.1',
    nodeRange: '172.30.0.0/24',
    podRange: '10.244.0.0/16',
    serviceRange: '10.96.0.0/16',
    kubernetesService: '10.96.0.1',
    dnsService: '10.96.0.10',
    dnsListen: '172.30.0.1:53',
    loadBalancerPool: '172.30.0.201-172.30.0.250',
    ingress: '172.30.0.200',
    mostNodes: 189,
  })
  const last = addressesOf({ network: 'machines', slot: 31 })
  expect([last.node(189), last.podCidr(189), last.serviceRange]).toEqual([
    '172.30.31.199',
    '10.163.189.0/24',
    '10.131.0.0/16',
  ])
})

test('no two slots share a range', () => {
  const ranges = Array.from({ length: slots }, (_, slot) => rangesOf(slot)).flat()
  expect(new Set(ranges).size).toBe(3 * slots)
})
