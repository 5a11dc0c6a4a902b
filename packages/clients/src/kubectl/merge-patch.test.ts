import { describe, expect, test } from 'vitest'
import { threeWayMergePatch } from './merge-patch.ts'

describe('threeWayMergePatch', () => {
  test.each([
    ['nothing changed', { a: 1 }, { a: 1 }, { a: 1, status: 'x' }, undefined],
    ['a changed field', { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }],
    ['a field that drifted in the live object', { a: 1 }, { a: 1 }, { a: 5 }, { a: 1 }],
    ['a field no longer wanted', { a: 1, b: 2 }, { a: 1 }, { a: 1, b: 2 }, { b: null }],
    ['a field no longer wanted and already gone', { a: 1, b: 2 }, { a: 1 }, { a: 1 }, undefined],
    ["somebody else's field", {}, { a: 1 }, { a: 1, c: 3 }, undefined],
    ['nested objects', { s: { x: 1, y: 1 } }, { s: { x: 2 } }, { s: { x: 1, y: 1, z: 9 } }, { s: { x: 2, y: null } }],
    ['a changed list is sent whole', { l: [1] }, { l: [1, 2] }, { l: [1] }, { l: [1, 2] }],
    [
      'an unchanged list that the server completed',
      { p: [{ port: 80 }] },
      { p: [{ port: 80 }] },
      { p: [{ port: 80, nodePort: 30080 }] },
      undefined,
    ],
    [
      'an unchanged list that drifted',
      { p: [{ port: 80 }] },
      { p: [{ port: 80 }] },
      { p: [{ port: 81 }] },
      { p: [{ port: 80 }] },
    ],
    ['never applied before', {}, { a: 1 }, { a: 2, b: 3 }, { a: 1 }],
  ])('%s', (_name, original, modified, live, patch) => {
    expect(threeWayMergePatch(original, modified, live)).toEqual(patch)
  })
})
