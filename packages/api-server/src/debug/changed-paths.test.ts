import { expect, test } from 'vitest'
import { changes } from './changed-paths.ts'

const cases: [what: string, before: unknown, after: unknown, paths: string[]][] = [
  ['nothing', { a: 1 }, { a: 1 }, []],
  ['a value', { spec: { replicas: 1 } }, { spec: { replicas: 2 } }, ['/spec/replicas']],
  ['an added field', { spec: {} }, { spec: { nodeName: 'n' } }, ['/spec/nodeName']],
  ['a removed object', { spec: { a: { b: 1 } } }, { spec: {} }, ['/spec/a']],
  ['only what every write changes', { metadata: { resourceVersion: '1' } }, { metadata: { resourceVersion: '2' } }, []],
  ['a key with slashes', { l: {} }, { l: { 'a/b~c': 1 } }, ['/l/a~1b~0c']],
  [
    'one of several named things',
    { c: [{ name: 'a', image: 'x' }, { name: 'b' }] },
    { c: [{ name: 'b' }, { name: 'a', image: 'y' }] },
    ['/c/1/image'],
  ],
  ['a new and a lost named thing', { c: [{ type: 'A' }] }, { c: [{ type: 'B' }] }, ['/c/0', '/c/0']],
  ['plain lists', { args: ['a', 'b'] }, { args: ['a', 'c', 'd'] }, ['/args/1', '/args/2']],
]

test.each(cases)('finds %s', (_what, before, after, paths) =>
  expect(changes(before, after).map(({ path }) => path)).toEqual(paths),
)
