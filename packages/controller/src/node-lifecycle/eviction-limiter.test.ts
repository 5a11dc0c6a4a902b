import type { Node } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { makeNode } from '../testing/objects.ts'
import { EvictionLimiter, zoneStateOf } from './eviction-limiter.ts'

/** One letter for each node: y ready, n silent, ? has never reported. */
function nodes(letters: string): Node[] {
  return letters.split('').map((letter, index) => ({
    ...makeNode(`node-${index}`),
    status: letter === '?' ? {} : { conditions: [{ type: 'Ready', status: letter === 'y' ? 'True' : 'Unknown' }] },
  }))
}

test.each([
  ['', 'Normal'],
  ['y', 'Normal'],
  ['n', 'FullDisruption'],
  ['nn', 'FullDisruption'],
  ['yn', 'Normal'],
  ['ynn', 'Normal'],
  ['ynnn', 'PartialDisruption'],
  ['yyyynnn', 'Normal'],
  ['yynnn', 'PartialDisruption'],
  ['n?', 'FullDisruption'],
  ['?', 'Normal'],
])('%j: %s', (letters, expected) => {
  expect(zoneStateOf(nodes(letters))).toBe(expected)
})

test('one node in ten seconds is told to let its pods go', () => {
  const limiter = new EvictionLimiter()
  const [ready, first, second] = nodes('ynn') as [Node, Node, Node]
  const modes = [0, 0, 0, 9_999, 10_000].map((nowMs, i) =>
    limiter.modeFor([ready, first, second, second, second][i] ?? ready, 'Normal', nowMs),
  )
  expect(modes).toEqual(['allow', 'allow', 'hold', 'hold', 'allow'])
})

test('a node that is told already uses up nothing', () => {
  const limiter = new EvictionLimiter()
  const [first, second] = nodes('nn') as [Node, Node]
  const tainted = { ...first, spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] } }
  expect([limiter.modeFor(tainted, 'Normal', 0), limiter.modeFor(second, 'Normal', 0)]).toEqual(['allow', 'allow'])
})

test('in a disruption nobody new is told, and in a full one it is called off', () => {
  const limiter = new EvictionLimiter()
  const [first] = nodes('n') as [Node]
  expect(limiter.modeFor(first, 'PartialDisruption', 0)).toBe('hold')
  expect(limiter.modeFor(first, 'FullDisruption', 0)).toBe('cancel')
  expect(limiter.modeFor(first, 'Normal', 0)).toBe('allow')
})
