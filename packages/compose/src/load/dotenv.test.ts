import { expect, test } from 'vitest'
import { parseDotenv } from './dotenv.ts'

test.each([
  ['A=1', { A: '1' }],
  ['A = 1 ', { A: '1' }],
  ['export A=1', { A: '1' }],
  ['# note\n\nA=1 # tail\nB=a#b', { A: '1', B: 'a#b' }],
  ["A='x $B # y'", { A: 'x $B # y' }],
  ['A="x\\n\\"y\\" \\$B" # note', { A: 'x\n"y" $B' }],
  ['A="two\nlines"\nB=2', { A: 'two\nlines', B: '2' }],
  ['A=1\nB=${A}2\nC="$B"', { A: '1', B: '12', C: '12' }],
  ['A=${HOST:-x}', { A: 'outer' }],
  ['HOST', { HOST: 'outer' }],
  ['NOWHERE', {}],
  ['A=', { A: '' }],
  ['URL=http://x/?a=b', { URL: 'http://x/?a=b' }],
])('%j', (text, values) => {
  expect(parseDotenv(text, { HOST: 'outer' })).toEqual(values)
})

test('says which line is wrong', () => {
  expect(() => parseDotenv('A=1\n=2')).toThrow('line 2')
})
