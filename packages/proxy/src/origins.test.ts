import type { Node } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { contains, nodeOfAddress } from './origins.ts'

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

test('an address belongs to the node that has it, or whose pods have it', () => {
  const node = (index: number): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}`, uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    spec: { podCIDR: `10.244.${index}.0/24` },
    status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${index}` }] },
  })
  const nodes = [node(1), node(2)]
  expect(nodeOfAddress('10.244.2.9', nodes)).toBe('node-2')
  expect(nodeOfAddress('192.168.0.1', nodes)).toBe('node-1')
  expect(nodeOfAddress('127.0.0.1', nodes)).toBeUndefined()
})
