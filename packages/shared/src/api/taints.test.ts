import { expect, test } from 'vitest'
import { tolerates, untoleratedTaints } from './taints.ts'
import type { Node, Taint, Toleration } from './types.ts'

const unreachable: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }

test.each<[string, Toleration, Taint, boolean]>([
  ['everything', { operator: 'Exists' }, unreachable, true],
  ['the key, whatever its value', { key: unreachable.key, operator: 'Exists' }, { ...unreachable, value: 'x' }, true],
  ['the key and the effect', { key: unreachable.key, operator: 'Exists', effect: 'NoExecute' }, unreachable, true],
  ['another effect', { key: unreachable.key, operator: 'Exists', effect: 'NoSchedule' }, unreachable, false],
  ['another key', { key: 'gpu', operator: 'Exists' }, unreachable, false],
  ['the value', { key: 'gpu', value: 'a' }, { key: 'gpu', value: 'a', effect: 'NoExecute' }, true],
  [
    'another value',
    { key: 'gpu', operator: 'Equal', value: 'a' },
    { key: 'gpu', value: 'b', effect: 'NoExecute' },
    false,
  ],
  ['no value for a taint without one', { key: 'gpu' }, { key: 'gpu', effect: 'NoExecute' }, true],
])('tolerates %s', (_name, toleration, taint, expected) => {
  expect(tolerates(toleration, taint)).toBe(expected)
})

test('what is not tolerated, of the effects that matter', () => {
  const soft: Taint = { key: 'old', effect: 'PreferNoSchedule' }
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', uid: 'n', resourceVersion: '1', creationTimestamp: '' },
    spec: { taints: [unreachable, soft] },
    status: {},
  }
  expect(untoleratedTaints(node, undefined, ['NoSchedule', 'NoExecute'])).toEqual([unreachable])
  expect(untoleratedTaints(node, [{ operator: 'Exists' }], ['NoExecute'])).toEqual([])
  expect(untoleratedTaints(node, [], ['PreferNoSchedule'])).toEqual([soft])
})
