import { describe, expect, test } from 'vitest'
import { labelSelectorFrom } from '@dinghy/shared/api/selectors'
import { keyOf } from '@dinghy/shared/api/keys'
import type { Pod } from '@dinghy/shared/api/types'
import { decideClaim } from './claim.ts'
import { Expectations } from './expectations.ts'
import { availableInMs, nextAvailabilityInMs } from './pod-state.ts'
import { isSemanticallyEqual } from './semantic-equal.ts'
import { slowStart } from './slow-start.ts'
import { at, controlledBy, epoch, makePod, makeReplicaSet } from '../testing/objects.ts'

describe('decideClaim', () => {
  const owner = makeReplicaSet('web')
  const leaving = makeReplicaSet('web', { metadata: { deletionTimestamp: at(0) } })
  const stranger = makeReplicaSet('other')
  const selector = labelSelectorFrom({ matchLabels: { app: 'web' } })
  const match = { app: 'web' }
  const table: [string, Parameters<typeof decideClaim>[0], Partial<Pod['metadata']>, string][] = [
    ['ours and matching', owner, { labels: match, ownerReferences: controlledBy(owner) }, 'ours'],
    ['ours but relabelled', owner, { ownerReferences: controlledBy(owner) }, 'release'],
    ['an orphan that matches', owner, { labels: match }, 'adopt'],
    ['an orphan that does not match', owner, { labels: { app: 'db' } }, 'ignore'],
    ['an orphan on its way out', owner, { labels: match, deletionTimestamp: at(0) }, 'ignore'],
    ["another's, though it matches", owner, { labels: match, ownerReferences: controlledBy(stranger) }, 'ignore'],
    ['a leaving owner keeps what it has', leaving, { labels: match, ownerReferences: controlledBy(leaving) }, 'ours'],
    ['a leaving owner adopts nothing', leaving, { labels: match }, 'ignore'],
    ['a leaving owner releases nothing', leaving, { ownerReferences: controlledBy(leaving) }, 'ignore'],
  ]
  test.each(table)('%s', (_name, owner, metadata, claim) => {
    expect(decideClaim(owner, selector, makePod('pod', { metadata }))).toBe(claim)
  })
})

describe('Expectations', () => {
  function world() {
    const pods = new Map<string, Pod>()
    const cache = { lister: { get: (key: string) => pods.get(key) }, revision: '100' }
    const show = (pod: Pod) => pods.set(keyOf(pod), pod)
    return { cache, show, hide: (pod: Pod) => pods.delete(keyOf(pod)), expectations: new Expectations<Pod>(cache) }
  }
  test('waits until the cache has passed what was written', () => {
    const { cache, expectations } = world()
    expectations.wrote('default/web', makePod('first', { metadata: { resourceVersion: '105' } }))
    expectations.wrote('default/web', makePod('second', { metadata: { resourceVersion: '103' } }))
    cache.revision = '104'
    expect(expectations.areMet('default/web')).toBe(false)
    expect(expectations.areMet('default/other')).toBe(true)
    cache.revision = '105'
    expect(expectations.areMet('default/web')).toBe(true)
  })

  test('does not wait when the watch was quicker than the answer', () => {
    const { expectations } = world()
    expectations.wrote('default/web', makePod('new', { metadata: { resourceVersion: '99' } }))
    expect(expectations.areMet('default/web')).toBe(true)
  })

  test('waits until a deletion shows: as a timestamp, an absence, or a successor', () => {
    const pod = makePod('old')
    const endings: ((all: ReturnType<typeof world>) => void)[] = [
      ({ show }) => show({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: at(1) } }),
      ({ hide }) => hide(pod),
      ({ show }) => show(makePod('old')),
    ]
    for (const end of endings) {
      const all = world()
      all.show(pod)
      all.expectations.deleted('default/web', pod)
      expect(all.expectations.areMet('default/web')).toBe(false)
      end(all)
      expect(all.expectations.areMet('default/web')).toBe(true)
    }
  })
})

describe('slowStart', () => {
  test('doubles its batches', async () => {
    const batches: number[] = []
    let running = 0
    await slowStart(12, async () => {
      running += 1
      await Promise.resolve()
      if (running > 0) batches.push(running)
      running = 0
    })
    expect(batches).toEqual([1, 2, 4, 5])
  })

  test('stops after the batch that failed, having waited for all of it', async () => {
    let attempts = 0
    const attempt = async () => {
      attempts += 1
      if (attempts === 2) throw new Error('quota')
    }
    await expect(slowStart(100, attempt)).rejects.toThrow('quota')
    expect(attempts).toBe(3)
  })
})

describe('availability', () => {
  test.each([
    [{ readyAt: 0 }, 0, 0],
    [{ readyAt: 95 }, 10, 5000],
    [{ readyAt: 50 }, 10, 0],
    [{}, 0, undefined],
  ])('pod %j with minReadySeconds %i', (facts, minReadySeconds, expected) => {
    expect(availableInMs(makePod('pod', facts), minReadySeconds, epoch + 100_000)).toBe(expected)
  })

  test('knows when to look again', () => {
    const pods = [
      makePod('a', { readyAt: 98 }),
      makePod('b', { readyAt: 92 }),
      makePod('c', { readyAt: 0 }),
      makePod('d'),
    ]
    expect(nextAvailabilityInMs(pods, 10, epoch + 100_000)).toBe(2000)
    expect(nextAvailabilityInMs(pods, 0, epoch + 100_000)).toBeUndefined()
  })
})

describe('isSemanticallyEqual', () => {
  test.each([
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: [] }, {}, true],
    [{ a: null }, {}, true],
    [{ emptyDir: {} }, {}, false],
    [{ resources: {} }, {}, true],
    [{ metadata: { labels: {}, creationTimestamp: null } }, {}, true],
    [{ metadata: { labels: { a: 'b' } } }, {}, false],
    [{ resources: { limits: { cpu: '1' } } }, { resources: {} }, false],
    [[1, 2], [2, 1], false],
    [{ a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 2 }] } }, false],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(isSemanticallyEqual(a, b)).toBe(expected)
    expect(isSemanticallyEqual(b, a)).toBe(expected)
  })
})
