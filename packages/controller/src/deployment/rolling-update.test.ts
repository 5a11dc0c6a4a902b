import { describe, expect, test } from 'vitest'
import { resolveBounds, rollingStep, type RolloutBounds, type Size } from './rolling-update.ts'

function bounds(replicas: number, maxSurge: number, maxUnavailable: number): RolloutBounds {
  return {
    replicas,
    maxSurge,
    maxUnavailable,
  }
}
/** "3/2": asks for 3, of which 2 are available. */
function size(text: string): Size {
  const [replicas = 0, available = replicas] = text.split('/').map(Number)
  return { replicas, available }
}

describe('rollingStep', () => {
  // bounds, new, old → new, old
  const table: [string, RolloutBounds, string, string[], number, number[]][] = [
    ['a first rollout takes all at once', bounds(3, 1, 0), '0', [], 3, []],
    ['the new one starts with the surge', bounds(10, 3, 2), '0', ['10'], 3, [10]],
    ['surge 0: the old one makes room first', bounds(10, 0, 2), '0', ['10'], 0, [8]],
    ['then the new one takes the room', bounds(10, 0, 2), '0', ['8'], 2, [8]],
    ['unavailable new pods make no room', bounds(10, 0, 2), '2/0', ['8'], 2, [8]],
    ['available ones do', bounds(10, 0, 2), '2/1', ['8'], 2, [7]],
    ['unavailable 0: old ones wait for the new', bounds(3, 1, 0), '1/0', ['3'], 1, [3]],
    ['and go one for one', bounds(3, 1, 0), '1', ['3'], 1, [2]],
    ['growing comes before shrinking', bounds(3, 1, 0), '1', ['2'], 2, [2]],
    ['the last old pod', bounds(3, 1, 0), '3', ['1'], 3, [0]],
    ['done: nothing', bounds(3, 1, 0), '3', ['0'], 3, [0]],
    ['too large: down to size, before anything else', bounds(3, 1, 1), '5', ['2'], 3, [2]],
    ['broken old pods go first, all of them at once', bounds(10, 0, 2), '0', ['10/4'], 0, [8]],
    ['broken old pods cost nothing', bounds(5, 2, 0), '2/0', ['5/3'], 2, [5]],
    ['healthy old pods stay while availability is at its limit', bounds(10, 3, 2), '3/0', ['8/8'], 5, [8]],
    ['the oldest shrinks first', bounds(10, 0, 3), '0', ['4', '6'], 0, [1, 6]],
    ['broken pods anywhere go before healthy ones', bounds(10, 2, 2), '2/2', ['5/5', '5/3'], 2, [3, 3]],
    ['nothing wanted: the old one may go at once', bounds(0, 0, 0), '0', ['3'], 0, [0]],
    ['to zero', bounds(0, 0, 0), '2', ['0'], 0, [0]],
  ]
  test.each(table)('%s', (_name, limits, fresh, old, newReplicas, oldReplicas) => {
    expect(rollingStep(limits, size(fresh), old.map(size))).toEqual({ newReplicas, oldReplicas })
  })
})

describe('resolveBounds', () => {
  test.each([
    [10, '25%', '25%', 3, 2],
    [1, '25%', '25%', 1, 0],
    [3, 1, 0, 1, 0],
    [3, 0, 0, 0, 1],
    [3, '0%', '10%', 0, 1],
    [4, 0, 9, 0, 4],
    [0, '25%', '25%', 0, 0],
    [10, undefined, undefined, 0, 1],
    [3, '200%', '100%', 6, 3],
  ])('%i replicas, surge %s, unavailable %s: %i and %i', (replicas, surge, unavailable, maxSurge, maxUnavailable) => {
    expect(resolveBounds(replicas, surge, unavailable)).toEqual({ replicas, maxSurge, maxUnavailable })
  })
})

/**
 * A world in which pods become available when they please: the ReplicaSets follow the numbers they are given, new pods
 * start unavailable, and an adversary picks which pods come up. What the arithmetic promises must hold at every turn.
 */
describe('a rollout as a whole', () => {
  const random = mulberry32(20250101)
  const pick = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))

  test('never breaks its bounds and always ends', () => {
    for (let round = 0; round < 500; round++) {
      const replicas = pick(0, 20)
      const limits = resolveBounds(
        replicas,
        pick(0, 1) ? pick(0, 6) : `${pick(0, 100)}%`,
        pick(0, 1) ? pick(0, 6) : `${pick(0, 100)}%`,
      )
      const fresh: Size = { replicas: 0, available: 0 }
      const old = oldVersions(replicas)
      runToTheEnd(limits, fresh, old)
      expect(fresh).toEqual({ replicas, available: replicas })
      expect(old.every((one) => one.replicas === 0)).toBe(true)
    }
  })

  test('never takes available pods below the floor while old pods are broken and new ones never start', () => {
    for (let round = 0; round < 200; round++) {
      const replicas = pick(1, 20)
      const limits = resolveBounds(replicas, pick(0, 4), pick(0, 4))
      const fresh: Size = { replicas: 0, available: 0 }
      const old = oldVersions(replicas)
      for (const one of old) one.available = pick(0, one.replicas)
      const floor = Math.min(total(old, 'available'), limits.replicas - limits.maxUnavailable)
      for (let turn = 0; turn < 50; turn++) {
        follow(limits, fresh, old)
        expect(fresh.available + total(old, 'available')).toBeGreaterThanOrEqual(floor)
      }
    }
  })

  function runToTheEnd(limits: RolloutBounds, fresh: Size, old: Size[]): void {
    const { replicas, maxSurge, maxUnavailable } = limits
    for (let turn = 0; turn < 1000; turn++) {
      const isQuiet = !follow(limits, fresh, old)
      expect(fresh.replicas + total(old, 'replicas')).toBeLessThanOrEqual(replicas + maxSurge)
      expect(fresh.available + total(old, 'available')).toBeGreaterThanOrEqual(replicas - maxUnavailable)
      const waiting = fresh.replicas - fresh.available
      if (isQuiet && waiting === 0) return
      // When nothing else can move, at least one pod comes up: that is all that a rollout may count on.
      fresh.available += pick(isQuiet ? 1 : 0, waiting)
    }
    throw new Error(`no end: ${JSON.stringify({ limits, fresh, old })}`)
  }

  /** One step, and ReplicaSets that follow at once: they delete pods that are not available first. */
  function follow(limits: RolloutBounds, fresh: Size, old: Size[]): boolean {
    const step = rollingStep(limits, fresh, old)
    const isSame = step.newReplicas === fresh.replicas && step.oldReplicas.every((one, i) => one === old[i]?.replicas)
    resize(fresh, step.newReplicas)
    old.forEach((one, index) => resize(one, step.oldReplicas[index] ?? 0))
    return !isSame
  }

  function resize(one: Size, replicas: number): void {
    one.replicas = replicas
    one.available = Math.min(one.available, replicas)
  }

  function oldVersions(replicas: number): Size[] {
    const first = pick(0, replicas)
    return [first, replicas - first].map((count) => ({ replicas: count, available: count }))
  }

  function total(sizes: Size[], field: keyof Size): number {
    return sizes.reduce((sum, one) => sum + one[field], 0)
  }
})

/** A small seeded generator, so that a failure can be seen again. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
