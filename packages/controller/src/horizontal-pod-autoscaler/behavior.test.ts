import { expect, test } from 'vitest'
import { noHistory, type ScaleHistory, settle, type Wish, withChange } from './behavior.ts'

const minute = 60_000
const now = 100 * minute

function wish(more: Partial<Wish>): Wish {
  const bounds = { current: 4, min: 1, max: 20, behavior: undefined, downscaleStabilizationMs: 5 * minute, now }
  return { proposed: 4, ...bounds, ...more }
}

function proposals(...list: [replicas: number, minutesAgo: number][]): ScaleHistory {
  return { ...noHistory, proposals: list.map(([replicas, ago]) => ({ replicas, atMs: now - ago * minute })) }
}

test.each<[string, Partial<Wish>, ScaleHistory, number, string, string]>([
  ['as proposed', { proposed: 6 }, noHistory, 6, 'ReadyForNewScale', 'DesiredWithinRange'],
  ['not beyond the bounds', { proposed: 30, max: 7 }, noHistory, 7, 'ReadyForNewScale', 'TooManyReplicas'],
  ['not below them', { proposed: 1, min: 2 }, noHistory, 2, 'ReadyForNewScale', 'TooFewReplicas'],
  ['at most twice as many at once', { proposed: 15 }, noHistory, 8, 'ReadyForNewScale', 'ScaleUpLimit'],
  ['but four from one', { current: 1, proposed: 15 }, noHistory, 4, 'ReadyForNewScale', 'ScaleUpLimit'],
  [
    'down only to the highest of the last minutes',
    { proposed: 1 },
    proposals([3, 4], [2, 1]),
    3,
    'ScaleDownStabilized',
    'DesiredWithinRange',
  ],
  [
    'what was proposed long ago is forgotten',
    { proposed: 1 },
    proposals([3, 6]),
    1,
    'ReadyForNewScale',
    'DesiredWithinRange',
  ],
])('without a behaviour: %s', (_what, asked, history, replicas, able, limited) => {
  const settled = settle(wish(asked), history)
  expect([settled.replicas, settled.able.reason, settled.limited.reason]).toEqual([replicas, able, limited])
  expect(settled.limited.isLimited).toBe(limited !== 'DesiredWithinRange')
})

const up = { stabilizationWindowSeconds: 0, selectPolicy: 'Max' }
const down = { stabilizationWindowSeconds: 0, selectPolicy: 'Max' }

test.each<[string, Wish['behavior'], Partial<Wish>, ScaleHistory, number, string]>([
  [
    'one more pod a minute',
    { scaleUp: { ...up, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } },
    { proposed: 9 },
    noHistory,
    5,
    'ScaleUpLimit',
  ],
  [
    'and none if one came half a minute ago',
    { scaleUp: { ...up, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } },
    { proposed: 9 },
    withChange(noHistory, 1, now - 30_000),
    4,
    'ScaleUpLimit',
  ],
  [
    'the policy of the largest change',
    {
      scaleUp: {
        ...up,
        policies: [
          { type: 'Pods', value: 1, periodSeconds: 60 },
          { type: 'Percent', value: 100, periodSeconds: 60 },
        ],
      },
    },
    { proposed: 9 },
    noHistory,
    8,
    'ScaleUpLimit',
  ],
  [
    'of the smallest, if that is chosen',
    {
      scaleUp: {
        ...up,
        selectPolicy: 'Min',
        policies: [
          { type: 'Pods', value: 1, periodSeconds: 60 },
          { type: 'Percent', value: 100, periodSeconds: 60 },
        ],
      },
    },
    { proposed: 9 },
    noHistory,
    5,
    'ScaleUpLimit',
  ],
  [
    'never up',
    { scaleUp: { ...up, selectPolicy: 'Disabled', policies: [] } },
    { proposed: 9 },
    noHistory,
    4,
    'ScaleUpLimit',
  ],
  [
    'ten percent fewer, rounded down',
    { scaleDown: { ...down, policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] } },
    { proposed: 1 },
    noHistory,
    3,
    'ScaleDownLimit',
  ],
  [
    'never down',
    { scaleDown: { ...down, selectPolicy: 'Disabled', policies: [] } },
    { proposed: 1 },
    noHistory,
    4,
    'ScaleDownLimit',
  ],
  [
    'up only to the lowest of its window',
    { scaleUp: { ...up, stabilizationWindowSeconds: 120, policies: [{ type: 'Pods', value: 9, periodSeconds: 60 }] } },
    { proposed: 9 },
    proposals([5, 1]),
    5,
    'DesiredWithinRange',
  ],
])('with a behaviour: %s', (_what, behavior, asked, history, replicas, limited) => {
  const settled = settle(wish({ ...asked, behavior }), history)
  expect([settled.replicas, settled.limited.reason]).toEqual([replicas, limited])
})

test('what was proposed is remembered as long as a window may look back', () => {
  const { history } = settle(wish({ proposed: 2 }), proposals([9, 6], [4, 2]))
  expect(history.proposals.map(({ replicas }) => replicas)).toEqual([4, 2])
})
