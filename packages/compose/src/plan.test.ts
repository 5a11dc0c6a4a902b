import { expect, test } from 'vitest'
import { label } from './labels.ts'
import { type Observed, planService, type Wanted } from './plan.ts'

function container(number: number, changes: { hash?: string; image?: string } = {}): Observed {
  return {
    id: `c${number}`,
    name: `p-web-${number}`,
    labels: {
      [label.number]: String(number),
      [label.hash]: changes.hash ?? 'h',
      [label.image]: changes.image ?? 'i',
    },
  }
}

const wanted: Wanted = { count: 2, hash: 'h', imageId: 'i', recreate: 'changed' }

function summary(changes: Partial<Wanted>, observed: Observed[]) {
  return planService({ ...wanted, ...changes }, observed).map((action) =>
    'container' in action ? `${action.kind} ${action.container.id}` : `${action.kind} ${action.number}`,
  )
}

test.each<[string, Observed[], Partial<Wanted>, string[]]>([
  ['nothing there', [], {}, ['create 1', 'create 2']],
  ['all as wanted', [container(1), container(2)], {}, ['keep c1', 'keep c2']],
  ['in any order', [container(2), container(1)], {}, ['keep c1', 'keep c2']],
  ['one missing below', [container(2)], {}, ['keep c2', 'create 1']],
  ['a changed file', [container(1, { hash: 'old' }), container(2)], {}, ['recreate 1', 'keep c2']],
  ['a new image', [container(1, { image: 'old' }), container(2)], {}, ['recreate 1', 'keep c2']],
  ['scaled down', [container(1), container(2)], { count: 1 }, ['remove c2', 'keep c1']],
  ['scaled to none', [container(1), container(2)], { count: 0 }, ['remove c2', 'remove c1']],
  ['scaled up', [container(1), container(2)], { count: 3 }, ['keep c1', 'keep c2', 'create 3']],
  ['two of one number', [container(1), container(1)], { count: 1 }, ['remove c1', 'keep c1']],
  ['forced', [container(1), container(2)], { recreate: 'always' }, ['recreate 1', 'recreate 2']],
  ['never', [container(1, { hash: 'old' }), container(2)], { recreate: 'never' }, ['keep c1', 'keep c2']],
])('%s', (_name, observed, changes, expected) => {
  expect(summary(changes, observed)).toEqual(expected)
})
