import { expect, test } from 'vitest'
import { RecentDecisions } from './recent-decisions.ts'
import { cluster, node, pod } from './testing/objects.ts'

test('keeps the last hundred, and of one pod the last', () => {
  const recent = new RecentDecisions()
  const snapshot = cluster([node('a')])
  const place = (name: string, nodeName: string) => recent.remember({ pod: pod(name), cluster: snapshot, nodeName })
  for (let n = 0; n < 100; n++) place(`p${n}`, 'a')
  place('p0', 'b')
  place('p100', 'a')
  expect(recent.of('uid-default-p0')?.nodeName).toBe('b')
  expect(recent.of('uid-default-p1')).toBeUndefined()
  expect(recent.of('uid-default-p2')?.nodeName).toBe('a')
})
