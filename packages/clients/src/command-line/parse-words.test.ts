import { expect, test } from 'vitest'
import { parseWords } from './parse-words.ts'

const options = {
  usage: 'run',
  flags: { name: { type: 'string' }, detach: { type: 'boolean', short: 'd' }, env: { type: 'string', short: 'e' } },
  stopsAtFirstWord: true,
} as const

test.each([
  [
    ['-d', '--name', 'x', 'image', 'cmd', '-d', '--name'],
    { detach: true, name: 'x' },
    ['image', 'cmd', '-d', '--name'],
  ],
  [['--name=x', '-eA=1', 'image'], { name: 'x', env: 'A=1' }, ['image']],
  [['-e', 'A=1', '--', 'image', '-x'], { env: 'A=1' }, ['image', '-x']],
  [['image'], {}, ['image']],
  [[], {}, []],
])('%j', (args, flags, words) => {
  expect(parseWords(args, options)).toEqual({ flags, words })
})

test('without stopping, flags may follow words', () => {
  expect(parseWords(['a', '-d', 'b'], { ...options, stopsAtFirstWord: false })).toEqual({
    flags: { detach: true },
    words: ['a', 'b'],
  })
})

test('a wrong flag is told with the usage', () => {
  expect(() => parseWords(['--nosuch', 'image'], options)).toThrow(/Unknown option '--nosuch'.*\nusage: run/s)
})
