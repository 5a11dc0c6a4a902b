import { expect, test } from 'vitest'
import { DetachSearch, parseDetachKeys } from './detach-keys.ts'

test.each([
  ['', [16, 17]],
  ['ctrl-p,ctrl-q', [16, 17]],
  ['ctrl-@,ctrl-_,ctrl-[', [0, 31, 27]],
  ['a,DEL,ctrl-\\', [97, 127, 28]],
])('the keys %j', (text, codes) => {
  expect([...parseDetachKeys(text)]).toEqual(codes)
})

test.each(['ctrl-', 'ctrl-A', 'ab', 'a,,b', 'ä'])('the keys %j are refused', (text) => {
  expect(() => parseDetachKeys(text)).toThrow(`Invalid detach keys (${text}) provided`)
})

test.each<[string, string[], string, boolean]>([
  ['nothing of it', ['hello'], 'hello', false],
  ['all of it', ['hi', 'xyz', 'lost'], 'hi', true],
  ['in pieces', ['ax', 'y', 'zb'], 'a', true],
  ['only its beginning', ['xy', 'a'], 'xya', false],
  ['its beginning twice', ['xyxyz'], 'xy', true],
  ['its first key twice', ['xxyz'], 'x', true],
])('typing %s', (_name, typed, expected, isExpected) => {
  const search = new DetachSearch(Buffer.from('xyz'))
  let passed = ''
  let isDetached = false
  for (const text of typed) {
    if (isDetached) break
    const pushed = search.push(Buffer.from(text))
    passed += pushed.passed.toString()
    isDetached = pushed.isDetached
  }
  expect([passed, isDetached]).toEqual([expected, isExpected])
})

test('what is held back comes at the end', () => {
  const search = new DetachSearch(Buffer.from('xyz'))
  expect(search.push(Buffer.from('axy')).passed.toString()).toBe('a')
  expect(search.rest().toString()).toBe('xy')
})
