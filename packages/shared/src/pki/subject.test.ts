import { expect, test } from 'vitest'
import { subjectOf, subjectOfText } from './subject.ts'

test.each([
  [
    { CN: 'jane', O: ['dev', 'ops'] },
    { user: 'jane', groups: ['dev', 'ops'] },
  ],
  [
    { CN: 'jane', O: 'dev' },
    { user: 'jane', groups: ['dev'] },
  ],
  [{ CN: 'jane' }, { user: 'jane', groups: [] }],
  [{ O: 'dev' }, undefined],
  [{}, undefined],
])('%o is %o', (peer, subject) => expect(subjectOf(peer)).toEqual(subject))

test('lines of text say the same', () => {
  expect(subjectOfText('O=dev\nO=ops\nCN=jane')).toEqual({ user: 'jane', groups: ['dev', 'ops'] })
})
