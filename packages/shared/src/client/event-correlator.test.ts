import { beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../api/clock.ts'
import { EventCorrelator, type EventFacts } from './event-correlator.ts'

let clock: FakeClock
let correlator: EventCorrelator
beforeEach(() => {
  clock = new FakeClock()
  correlator = new EventCorrelator(clock)
})

function facts(message: string, name = 'web', fieldPath?: string): EventFacts {
  const involvedObject = { kind: 'Pod', apiVersion: 'v1', namespace: 'default', name, uid: name, resourceVersion: '1' }
  const part = fieldPath ? { fieldPath } : {}
  return {
    source: { component: 'kubelet' },
    involvedObject: { ...involvedObject, ...part },
    type: 'Normal',
    reason: 'Pulled',
    message,
  }
}

/** Correlates, and writes what has to be written. */
function record(event: EventFacts): string {
  const decision = correlator.correlate(event)
  if (!decision) return 'dropped'
  const { key, name, count, message } = decision
  if (name === undefined) correlator.written(key, `new-${message}`)
  return `${name ? 'repeat' : 'new'} ${count} ${message}`
}

test('the same event again is counted', () => {
  expect([record(facts('a')), record(facts('a')), record(facts('b')), record(facts('a'))]).toEqual([
    'new 1 a',
    'repeat 2 a',
    'new 1 b',
    'repeat 3 a',
  ])
})

test('another object, and another part of the object, are other events', () => {
  expect([record(facts('a')), record(facts('a', 'api')), record(facts('a', 'web', 'spec.containers{x}'))]).toEqual([
    'new 1 a',
    'new 1 a',
    'new 1 a',
  ])
})

test('an event that was never written is not a repeat', () => {
  correlator.correlate(facts('a'))
  expect(record(facts('a'))).toBe('new 2 a')
})

test('from the tenth message on, similar events become one', () => {
  const results = Array.from({ length: 12 }, (_, i) => record(facts(`message ${i}`)))
  expect(results.slice(8)).toEqual([
    'new 1 message 8',
    'new 1 (combined from similar events): message 9',
    'repeat 2 (combined from similar events): message 10',
    'repeat 3 (combined from similar events): message 11',
  ])
})

test('after ten quiet minutes they are told apart again', async () => {
  for (let i = 0; i < 12; i++) record(facts(`message ${i}`))
  await clock.advance(600_001)
  expect(record(facts('message 20'))).toBe('new 1 message 20')
})

test('an object that is talked about too much is cut off; one more is let through every five minutes', async () => {
  const results = Array.from({ length: 27 }, () => record(facts('a')))
  expect(results.filter((result) => result === 'dropped')).toHaveLength(2)
  expect(record(facts('a', 'other'))).toBe('new 1 a')
  await clock.advance(300_000)
  expect([record(facts('a')), record(facts('a'))]).toEqual(['repeat 26 a', 'dropped'])
})
