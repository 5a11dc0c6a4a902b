import { describe, expect, test } from 'vitest'
import type { PodDisruptionBudget } from '@dinghy/shared/api/types'
import { at, epoch, makePod, metaOf } from '../testing/objects.ts'
import { budgetStatus, failedStatus, needsExpected } from './budget.ts'

const emptyStatus = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }

function makeBudget(
  spec: Partial<PodDisruptionBudget['spec']>,
  status: Partial<PodDisruptionBudget['status']> = {},
): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metaOf('budget', { generation: 2 }),
    spec: { selector: {}, ...spec },
    status: { ...emptyStatus, ...status },
  }
}

function healthy(count: number) {
  return Array.from({ length: count }, (_, n) => makePod(`h${n}`, { readyAt: 0 }))
}

describe('budgetStatus', () => {
  // spec, pods that their controllers ask for, healthy ones, unhealthy ones → allowed, desired healthy
  const table: [Partial<PodDisruptionBudget['spec']>, number, number, number, number, number][] = [
    [{ minAvailable: 2 }, 0, 3, 0, 1, 2],
    [{ minAvailable: 2 }, 0, 2, 1, 0, 2],
    [{ minAvailable: 5 }, 0, 3, 0, 0, 5],
    [{ minAvailable: 0 }, 0, 3, 0, 3, 0],
    [{ minAvailable: 0 }, 0, 0, 0, 0, 0],
    [{ minAvailable: '50%' }, 5, 5, 0, 2, 3],
    [{ minAvailable: '100%' }, 3, 3, 0, 0, 3],
    [{ maxUnavailable: 1 }, 3, 3, 0, 1, 2],
    [{ maxUnavailable: 1 }, 3, 2, 1, 0, 2],
    [{ maxUnavailable: '30%' }, 10, 10, 0, 3, 7],
    [{ maxUnavailable: '1%' }, 3, 3, 0, 1, 2],
    [{ maxUnavailable: 9 }, 3, 3, 0, 3, 0],
    [{ maxUnavailable: 1 }, 5, 3, 0, 0, 4],
  ]
  test.each(table)('%j of %i expected, %i healthy and %i not', (spec, expected, good, bad, allowed, desired) => {
    const pods = [...healthy(good), ...Array.from({ length: bad }, (_, n) => makePod(`b${n}`))]
    const status = budgetStatus({ budget: makeBudget(spec), pods, expected, now: epoch })
    expect(status).toMatchObject({ disruptionsAllowed: allowed, desiredHealthy: desired, currentHealthy: good })
    expect(status.conditions).toMatchObject([
      allowed > 0 ? { status: 'True', reason: 'SufficientPods' } : { status: 'False', reason: 'InsufficientPods' },
    ])
    expect(status.observedGeneration).toBe(2)
  })

  test('does not count pods that are leaving', () => {
    const pods = [...healthy(2), makePod('leaving', { readyAt: 0, metadata: { deletionTimestamp: at(0) } })]
    expect(budgetStatus({ budget: makeBudget({ minAvailable: 1 }), pods, expected: 0, now: epoch })).toMatchObject({
      currentHealthy: 2,
      disruptionsAllowed: 1,
    })
  })

  test('counts an evicted pod as gone until it is, or until it clearly will not go', () => {
    const pods = healthy(3)
    const budget = makeBudget({ minAvailable: 1 }, { disruptedPods: { h0: at(0), vanished: at(0) } })
    const soon = budgetStatus({ budget, pods, expected: 0, now: epoch + 119_000 })
    expect(soon).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1, disruptedPods: { h0: at(0) } })
    const later = budgetStatus({ budget, pods, expected: 0, now: epoch + 120_000 })
    expect(later).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 2 })
    expect(later.disruptedPods).toBeUndefined()
  })
})

describe('a budget that cannot be worked out', () => {
  test('allows nothing, and says why', () => {
    const status = failedStatus(makeBudget({ maxUnavailable: 1 }, { disruptionsAllowed: 2 }), 'no controller', epoch)
    expect(status).toMatchObject({
      disruptionsAllowed: 0,
      conditions: [{ reason: 'SyncFailed', message: 'no controller' }],
    })
  })
})

describe('needsExpected', () => {
  test.each([
    [{ minAvailable: 1 }, false],
    [{ minAvailable: '10%' }, true],
    [{ maxUnavailable: 1 }, true],
  ])('%j: %s', (spec, expected) => expect(needsExpected(makeBudget(spec))).toBe(expected))
})
