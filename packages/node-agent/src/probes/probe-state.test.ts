import { describe, expect, test } from 'vitest'
import { afterOutcome, initialState, nextAttempt, type ProbeType } from './probe-state.ts'

/** s and f are outcomes; the answer is the verdict after each: S, F or ? */
function verdicts(type: ProbeType, outcomes: string, thresholds: object = {}): string {
  let state = initialState(type)
  let text = ''
  for (const outcome of outcomes) {
    state = afterOutcome(state, outcome === 's' ? 'success' : 'failure', type, thresholds)
    text += { success: 'S', failure: 'F', unknown: '?' }[state.verdict]
  }
  return text
}

describe('afterOutcome', () => {
  test.each<[string, ProbeType, string, object, string]>([
    ['ready at the first success', 'readiness', 'ffs', {}, 'FFS'],
    ['ready after two', 'readiness', 'sfss', { successThreshold: 2 }, 'FFFS'],
    ['unready only after three failures', 'readiness', 'sffsfff', {}, 'SSSSSSF'],
    ['and ready again', 'readiness', 'sfffs', {}, 'SSSFS'],
    ['alive until three failures in a row', 'liveness', 'ffsfff', {}, 'SSSSSF'],
    ['dead stays dead: the container is being replaced', 'liveness', 'fs', { failureThreshold: 1 }, 'FF'],
    ['started at the first success, for good', 'startup', 'ffsfff', {}, '??SSSS'],
    ['never started', 'startup', 'fff', {}, '??F'],
  ])('%s', (_name, type, outcomes, thresholds, expected) => {
    expect(verdicts(type, outcomes, thresholds)).toBe(expected)
  })

  test('a container that was ready when the agent was restarted stays so until a probe says otherwise', () => {
    expect(initialState('readiness', true).verdict).toBe('success')
    expect(initialState('readiness').verdict).toBe('failure')
    expect(initialState('startup', true)).toMatchObject({ verdict: 'success', held: true })
  })
})

describe('nextAttempt', () => {
  const at = (sinceRegularMs: number, eagerAttempts: number) => ({ periodMs: 10_000, sinceRegularMs, eagerAttempts })
  const unready = initialState('readiness')
  test.each([
    ['soon after the first', unready, 'readiness', at(0, 0), { delayMs: 25, eager: true }],
    ['then ever later', unready, 'readiness', at(775, 5), { delayMs: 800, eager: true }],
    ['never later than the regular one', unready, 'readiness', at(6375, 8), { delayMs: 3625, eager: false }],
    [
      'once ready, regularly',
      initialState('readiness', true),
      'readiness',
      at(0, 0),
      { delayMs: 10_000, eager: false },
    ],
    ['liveness regularly', initialState('liveness'), 'liveness', at(0, 0), { delayMs: 10_000, eager: false }],
    ['an attempt that took longer than a period', unready, 'liveness', at(12_000, 0), { delayMs: 0, eager: false }],
  ] as const)('%s', (_name, state, type, timing, expected) => {
    expect(nextAttempt(state, type, timing)).toEqual(expected)
  })
})
