import { expect, test } from 'vitest'
import { mergeTrees, Replacement } from './merge.ts'

test.each([
  ['a value', { image: 'a' }, { image: 'b' }, { image: 'b' }],
  ['mappings', { labels: { a: '1' } }, { labels: { b: '2' } }, { labels: { a: '1', b: '2' } }],
  [
    'a list and a mapping',
    { environment: ['A=1', 'B=2'] },
    { environment: { B: '3' } },
    { environment: { A: '1', B: '3' } },
  ],
  [
    'a variable without a value',
    { environment: ['A'] },
    { environment: ['B=1'] },
    { environment: { A: null, B: '1' } },
  ],
  ['commands', { command: ['a', 'b'] }, { command: ['c'] }, { command: ['c'] }],
  ['ports', { ports: ['80:80'] }, { ports: ['80:80', '81:81'] }, { ports: ['80:80', '81:81'] }],
  [
    'mounts with the same target',
    { volumes: ['a:/x', 'b:/y'] },
    { volumes: ['c:/x:ro'] },
    { volumes: ['c:/x:ro', 'b:/y'] },
  ],
  [
    'dependencies in both forms',
    { depends_on: ['db'] },
    { depends_on: { cache: { condition: 'service_healthy' } } },
    { depends_on: { db: { condition: 'service_started' }, cache: { condition: 'service_healthy' } } },
  ],
  ['an override', { ports: ['80:80'] }, { ports: new Replacement(['81:81']) }, { ports: ['81:81'] }],
  ['a reset', { ports: ['80:80'], image: 'a' }, { ports: new Replacement(undefined) }, { image: 'a' }],
  ['an override of nothing', {}, { ports: new Replacement(['81:81']) }, { ports: ['81:81'] }],
])('%s', (_name, base, over, merged) => {
  expect(mergeTrees(base, over)).toEqual(merged)
})
