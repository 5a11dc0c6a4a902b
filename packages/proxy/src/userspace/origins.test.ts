import type { Node } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { nodeOfAddress } from './origins.ts'

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
