import { describe, expect, test } from 'vitest'
import type { Pod } from '@dinghy/shared/api/types'
import { at, epoch, makePod, type PodFacts } from '../testing/objects.ts'
import { podsToDelete } from './deletion-order.ts'

const now = epoch + 1_000_000
const good: PodFacts = { node: 'n1', readyAt: 0, restarts: 0 }
function costing(cost: string): PodFacts {
  return {
    ...good,
    metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } },
  }
}

describe('podsToDelete', () => {
  // Each row: the pod that goes, and the one that stays.
  const rules: [string, PodFacts, PodFacts][] = [
    ['unscheduled before scheduled', { phase: 'Pending' }, { phase: 'Pending', node: 'n1' }],
    ['unscheduled before scheduled, whatever else', { readyAt: 0 }, { node: 'n1', phase: 'Pending' }],
    ['pending before unknown', { ...good, phase: 'Pending' }, { ...good, phase: 'Unknown' }],
    ['unknown before running', { ...good, phase: 'Unknown' }, { ...good, phase: 'Running' }],
    ['not ready before ready', { node: 'n1' }, good],
    ['not ready before a lower deletion cost', { node: 'n1' }, costing('-5')],
    ['lower deletion cost first', costing('-5'), good],
    ['higher deletion cost last', good, costing('7')],
    ['a deletion cost that is no integer counts as 0', costing('-1'), costing('-5.5')],
    ['ready for a shorter time first', { ...good, readyAt: 900 }, { ...good, readyAt: 10 }],
    ['more restarts first', { ...good, restarts: 3 }, { ...good, restarts: 2 }],
    ['ready time before restarts', { ...good, readyAt: 900 }, { ...good, restarts: 9 }],
    ['younger first', { node: 'n1', metadata: { creationTimestamp: at(900) } }, { node: 'n1' }],
  ]
  test.each(rules)('%s', (_name, goes, stays) => {
    const [a, b] = [makePod('goes', goes), makePod('stays', stays)]
    for (const pods of [
      [a, b],
      [b, a],
    ]) {
      expect(podsToDelete(pods, pods, 1, now)).toEqual([a])
    }
  })

  test('takes from crowded nodes first, counting the whole family', () => {
    const mine = [makePod('a', { ...good, node: 'n1' }), makePod('b', { ...good, node: 'n2' })] as [Pod, Pod]
    const sibling = makePod('sibling', { ...good, node: 'n2' })
    expect(podsToDelete(mine, [...mine, sibling], 1, now)).toEqual([mine[1]])
  })

  test('leaves it to the uid among pods of about the same age, so that the newest node is not emptied', () => {
    // 600 s and 900 s are within the same power of two.
    const old = makePod('old', { ...good, readyAt: 100, metadata: { uid: 'a' } })
    const young = makePod('young', { ...good, readyAt: 400, metadata: { uid: 'b' } })
    expect(podsToDelete([old, young], [], 1, now)).toEqual([old])
  })

  test('deletes everything when everything must go', () => {
    const pods = [makePod('a'), makePod('b')]
    expect(podsToDelete(pods, pods, 2, now)).toEqual(pods)
  })
})
