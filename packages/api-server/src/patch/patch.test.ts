import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { applyPatch, jsonPatch, mergePatchType, strategicMergePatchType } from './patch.ts'

const types = loadSchema()

function patched(contentType: string, original: object, patch: unknown, type = 'core.v1.Pod'): unknown {
  const before = structuredClone(original)
  const result = applyPatch({ contentType, patch: Buffer.from(JSON.stringify(patch)), original, type, types })
  expect(original).toEqual(before) // a patch that is retried must find the object as it was
  return result
}

describe('JSON patch', () => {
  const original = { spec: { replicas: 1, list: ['a', 'b'] } }

  test.each([
    ['replace', [{ op: 'replace', path: '/spec/replicas', value: 3 }], { replicas: 3, list: ['a', 'b'] }],
    ['add to a list', [{ op: 'add', path: '/spec/list/1', value: 'x' }], { replicas: 1, list: ['a', 'x', 'b'] }],
    ['append', [{ op: 'add', path: '/spec/list/-', value: 'x' }], { replicas: 1, list: ['a', 'b', 'x'] }],
    ['remove', [{ op: 'remove', path: '/spec/list' }], { replicas: 1 }],
    ['move', [{ op: 'move', from: '/spec/replicas', path: '/spec/n' }], { n: 1, list: ['a', 'b'] }],
    ['a key with a slash', [{ op: 'add', path: '/spec/a~1b', value: 1 }], { replicas: 1, list: ['a', 'b'], 'a/b': 1 }],
    ['copy', [{ op: 'copy', from: '/spec/list', path: '/spec/m' }], { replicas: 1, list: ['a', 'b'], m: ['a', 'b'] }],
    ['a test that holds', [{ op: 'test', path: '/spec/replicas', value: 1 }], original.spec],
  ])('%s', (_, patch, spec) => {
    expect(patched(jsonPatch, original, patch)).toEqual({ spec })
  })

  test.each([
    ['a test that fails', [{ op: 'test', path: '/spec/replicas', value: 2 }]],
    ['removing what is not there', [{ op: 'remove', path: '/spec/nope' }]],
    ['adding below what is not there', [{ op: 'add', path: '/metadata/labels/a', value: 'b' }]],
    ['an operation nobody knows', [{ op: 'increment', path: '/spec/replicas' }]],
    ['a path into the prototype', [{ op: 'add', path: '/__proto__/polluted', value: true }]],
    ['a path through a number', [{ op: 'add', path: '/spec/replicas/x', value: true }]],
    ['an index beyond the end', [{ op: 'add', path: '/spec/list/3', value: 'x' }]],
    ['moving a value into itself', [{ op: 'move', from: '/spec', path: '/spec/list/0' }]],
    ['no value', [{ op: 'add', path: '/spec/x' }]],
  ])('%s is 422', (_, patch) => {
    expect(() => patched(jsonPatch, original, patch)).toThrow(expect.objectContaining({ code: 422, reason: 'Invalid' }))
  })

  test('what is no list of operations is 400', () => {
    expect(() => patched(jsonPatch, original, { op: 'add' })).toThrow(expect.objectContaining({ code: 400 }))
  })
})

describe('merge patch', () => {
  test.each([
    ['objects merge', { a: { b: 1, c: 2 } }, { a: { c: 3 } }, { a: { b: 1, c: 3 } }],
    ['null deletes', { a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    ['lists are replaced', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['nulls in a new object vanish', {}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    ['an object replaces a scalar', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
  ])('%s', (_, original, patch, result) => {
    expect(patched(mergePatchType, original, patch)).toEqual(result)
  })
})

describe('strategic merge patch', () => {
  const container = (name: string, more: object = {}) => ({ name, image: name, ...more })
  const pod = (...containers: object[]) => ({ spec: { containers } })

  test.each([
    [
      'a container is found by name',
      pod(container('a'), container('b')),
      pod({ name: 'b', image: 'new' }),
      pod(container('a'), { name: 'b', image: 'new' }),
    ],
    [
      'a new one goes before what only the server has',
      pod(container('a'), container('b')),
      pod(container('c')),
      pod(container('c'), container('a'), container('b')),
    ],
    [
      'patch items keep the patch’s order',
      pod(container('a'), container('b')),
      pod({ name: 'b' }, { name: 'a' }),
      pod(container('b'), container('a')),
    ],
    [
      '$patch: delete removes one',
      pod(container('a'), container('b')),
      pod({ name: 'a', $patch: 'delete' }),
      pod(container('b')),
    ],
    [
      '$patch: replace replaces the list',
      pod(container('a'), container('b')),
      pod({ $patch: 'replace' }, container('c')),
      pod(container('c')),
    ],
    [
      'deleting what is not there does nothing',
      pod(container('a')),
      pod({ name: 'x', $patch: 'delete' }),
      pod(container('a')),
    ],
    [
      'a directive in a list that is new is no item',
      {},
      pod({ name: 'x', $patch: 'delete' }, container('a')),
      pod(container('a')),
    ],
    [
      'lists merge inside lists',
      pod(
        container('a', {
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', value: '2' },
          ],
        }),
      ),
      pod({ name: 'a', env: [{ name: 'Y', value: null, valueFrom: {} }] }),
      pod(
        container('a', {
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', valueFrom: {} },
          ],
        }),
      ),
    ],
    [
      'ports merge by their number',
      pod(container('a', { ports: [{ containerPort: 80 }] })),
      pod({ name: 'a', ports: [{ containerPort: 80, name: 'http' }] }),
      pod(container('a', { ports: [{ containerPort: 80, name: 'http' }] })),
    ],
    [
      'a list without merge strategy is replaced',
      pod(container('a', { args: ['x', 'y'] })),
      pod({ name: 'a', args: ['z'] }),
      pod(container('a', { args: ['z'] })),
    ],
    [
      'labels merge, null deletes',
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { b: null, c: '3' } } },
      { metadata: { labels: { a: '1', c: '3' } } },
    ],
    [
      '$patch: replace on an object',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      '$patch: delete on an object empties it',
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { $patch: 'delete' } } },
      { spec: { nodeSelector: {} } },
    ],
    [
      'a list of scalars with merge is a set',
      { metadata: { finalizers: ['a/x', 'b/y'] } },
      { metadata: { finalizers: ['b/y', 'c/z'] } },
      { metadata: { finalizers: ['a/x', 'b/y', 'c/z'] } },
    ],
    [
      '$deleteFromPrimitiveList takes from it',
      { metadata: { finalizers: ['a/x', 'b/y'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/x'] } },
      { metadata: { finalizers: ['b/y'] } },
    ],
    [
      'an unknown list is replaced',
      { metadata: {}, unknown: [{ name: 'a' }] },
      { unknown: [{ name: 'b' }] },
      { metadata: {}, unknown: [{ name: 'b' }] },
    ],
    [
      'volumes clear the old source with $retainKeys',
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' }, $retainKeys: ['name', 'hostPath'] }] } },
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
    ],
    [
      'volume mounts merge by path',
      pod(container('a', { volumeMounts: [{ mountPath: '/x', name: 'v' }] })),
      pod({ name: 'a', volumeMounts: [{ mountPath: '/x', readOnly: true }] }),
      pod(container('a', { volumeMounts: [{ mountPath: '/x', name: 'v', readOnly: true }] })),
    ],
    [
      'tolerations are replaced',
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
    ],
  ])('%s', (_, original, patch, result) => {
    expect(patched(strategicMergePatchType, original, patch)).toEqual(result)
  })

  describe('$setElementOrder', () => {
    const order = (...names: string[]) => names.map((name) => ({ name }))

    test.each([
      ['orders without other changes', ['a', 'b', 'c'], {}, ['c', 'a', 'b'], ['c', 'a', 'b']],
      ['keeps what only the server has where it was', ['a', 'x', 'b'], {}, ['a', 'b'], ['a', 'x', 'b']],
      [
        'puts a new item where the author put it',
        ['a', 'b'],
        { containers: [container('n')] },
        ['a', 'n', 'b'],
        ['a', 'n', 'b'],
      ],
      [
        'goes with a deletion',
        ['a', 'b', 'c'],
        { containers: [{ name: 'b', $patch: 'delete' }] },
        ['c', 'a'],
        ['c', 'a'],
      ],
    ])('%s', (_, before, change, names, after) => {
      const patch = { spec: { '$setElementOrder/containers': order(...names), ...change } }
      expect(patched(strategicMergePatchType, pod(...before.map((n) => container(n))), patch)).toEqual(
        pod(...after.map((n) => container(n))),
      )
    })

    test('orders scalars', () => {
      const patch = { metadata: { '$setElementOrder/finalizers': ['b/y', 'a/x'], finalizers: ['b/y'] } }
      expect(patched(strategicMergePatchType, { metadata: { finalizers: ['a/x'] } }, patch)).toEqual({
        metadata: { finalizers: ['b/y', 'a/x'] },
      })
    })

    test('must name every item of the patch', () => {
      const patch = { spec: { '$setElementOrder/containers': order('a'), containers: [container('z')] } }
      expect(() => patched(strategicMergePatchType, pod(container('a')), patch)).toThrow("doesn't match the order")
    })
  })

  test.each([
    ['an item without its key', pod({ image: 'x' }), 'does not contain declared merge key: name'],
    ['an unknown directive', { spec: { $patch: 'explode' } }, 'unknown patch type'],
    ['merging as a list directive', pod({ $patch: 'merge' }), 'merging lists cannot yet be specified in the patch'],
    [
      '$retainKeys that leaves out a field it sets',
      { spec: { $retainKeys: ['a'], nodeName: 'n' } },
      'retainKeys directive',
    ],
    ['a list as the whole patch', [], 'invalid JSON document'],
  ])('refuses %s', (_, patch, message) => {
    const original = pod(container('a'))
    expect(() => patched(strategicMergePatchType, original, patch)).toThrow(message)
  })
})

test('an unknown patch language is 415', () => {
  expect(() => patched('application/json', {}, {})).toThrow(expect.objectContaining({ code: 415 }))
})

test('a body that is no JSON is 400', () => {
  const request = { contentType: mergePatchType, patch: Buffer.from('{'), original: {}, type: 'core.v1.Pod', types }
  expect(() => applyPatch(request)).toThrow(expect.objectContaining({ code: 400 }))
})
