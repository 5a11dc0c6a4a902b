/**
 * The small functions over metadata and status: keys, owners, conditions, hashes, times, paths.
 */
import { describe, expect, test } from 'vitest'
import { FakeClock } from './clock.ts'
import { getCondition, isConditionTrue, setCondition, type ConditionLike } from './conditions.ts'
import { humanDuration, parseDuration } from './duration.ts'
import { canonicalJson, podTemplateHash } from './hash.ts'
import { keyOf, splitKey } from './keys.ts'
import { controllerOf, isControlledBy, ownerReferenceTo } from './owners.ts'
import { apiVersionOf, Deployments, Nodes, Pods, resourcePath } from './resources.ts'
import { microTime, nowRfc3339 } from './time.ts'
import type { KubernetesObject } from './types.ts'

test('keys', () => {
  expect(keyOf({ metadata: { namespace: 'ns', name: 'a' } })).toBe('ns/a')
  expect(keyOf({ metadata: { name: 'a' } })).toBe('a')
  expect(splitKey('ns/a')).toEqual({ namespace: 'ns', name: 'a' })
  expect(splitKey('a')).toEqual({ name: 'a' })
})

test.each([
  [resourcePath(Pods), '/api/v1/pods'],
  [resourcePath(Pods, 'ns', 'a', 'log'), '/api/v1/namespaces/ns/pods/a/log'],
  [resourcePath(Deployments, 'ns'), '/apis/apps/v1/namespaces/ns/deployments'],
  [resourcePath(Nodes, 'ignored', 'n1'), '/api/v1/nodes/n1'],
  [resourcePath(Pods, 'ns', 'a/b'), '/api/v1/namespaces/ns/pods/a%2Fb'],
])('path %s', (actual, expected) => expect(actual).toBe(expected))

test('apiVersion', () => {
  expect(apiVersionOf(Pods)).toBe('v1')
  expect(apiVersionOf(Deployments)).toBe('apps/v1')
})

test('owners are known by uid, and only one controls', () => {
  const owner: KubernetesObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'ns', uid: 'u1', resourceVersion: '1', creationTimestamp: '' },
  }
  const reference = ownerReferenceTo(owner, Deployments)
  expect(reference).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    uid: 'u1',
    controller: true,
    blockOwnerDeletion: true,
  })
  const child = { metadata: { ownerReferences: [{ ...reference, uid: 'u0', controller: false }, reference] } }
  expect(controllerOf(child)).toBe(reference)
  expect(isControlledBy(child, owner)).toBe(true)
  expect(isControlledBy(child, { metadata: { uid: 'u0' } })).toBe(false)
  expect(controllerOf({ metadata: {} })).toBeUndefined()
})

describe('conditions', () => {
  const ready: ConditionLike = { type: 'Ready', status: 'True', reason: 'Up', lastTransitionTime: 't0' }

  test('a new one is added with the time of now', () => {
    expect(setCondition(undefined, { type: 'Ready', status: 'True' }, 't1')).toEqual([
      { type: 'Ready', status: 'True', lastTransitionTime: 't1' },
    ])
  })
  test('the same status keeps the transition time, another moves it', () => {
    expect(setCondition([ready], { ...ready, reason: 'Better' }, 't1')[0]).toMatchObject({
      reason: 'Better',
      lastTransitionTime: 't0',
    })
    expect(setCondition([ready], { ...ready, status: 'False' }, 't1')[0]).toMatchObject({
      status: 'False',
      lastTransitionTime: 't1',
    })
  })
  test('no change gives the same list back', () => {
    const list = [ready]
    expect(setCondition(list, { type: 'Ready', status: 'True', reason: 'Up' }, 't1')).toBe(list)
  })
  test('reading', () => {
    expect(getCondition([ready], 'Ready')).toBe(ready)
    expect(isConditionTrue([ready], 'Ready')).toBe(true)
    expect(isConditionTrue(undefined, 'Ready')).toBe(false)
  })
})

test('hashes do not depend on the order of keys, but on everything else', () => {
  const hash = podTemplateHash({ a: 1, b: { c: [1, 2], d: undefined } })
  expect(hash).toBe(podTemplateHash({ b: { c: [1, 2] }, a: 1 }))
  expect(hash).not.toBe(podTemplateHash({ b: { c: [2, 1] }, a: 1 }))
  expect(hash).not.toBe(podTemplateHash({ a: 1, b: { c: [1, 2] } }, 1))
  expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/)
  expect(canonicalJson({ b: 1, a: [{ d: 1, c: 2 }] })).toBe('{"a":[{"c":2,"d":1}],"b":1}')
})

test('times', () => {
  const clock = new FakeClock('2025-01-02T03:04:05.678Z')
  expect(nowRfc3339(clock)).toBe('2025-01-02T03:04:05Z')
  expect(microTime(clock)).toBe('2025-01-02T03:04:05.678000Z')
})

test.each([
  ['0', 0],
  ['8s', 8000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['300ms', 300],
  ['-1s', -1000],
  ['', undefined],
  ['5', undefined],
  ['1d', undefined],
  ['s', undefined],
])('duration %j → %s', (text, expected) => expect(parseDuration(text)).toBe(expected))

test.each([
  [-5000, '<invalid>'],
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [200_000, '3m20s'],
  [11 * 60_000, '11m'],
  [179 * 60_000, '179m'],
  [3 * 3_600_000, '3h'],
  [(5 * 60 + 7) * 60_000, '5h7m'],
  [47 * 3_600_000, '47h'],
  [(3 * 24 + 4) * 3_600_000, '3d4h'],
  [100 * 86_400_000, '100d'],
  [800 * 86_400_000, '2y70d'],
])('age of %d ms is %s', (ms, expected) => expect(humanDuration(ms)).toBe(expected))
