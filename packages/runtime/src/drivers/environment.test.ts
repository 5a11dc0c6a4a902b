import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { canSplit, environmentCommand, handedDown } from './environment.ts'

const entries = ['PATH=/usr/bin:/bin', 'a.b=1', '-x=2', 'EMPTY=', `Q=a "b" 'c' $d \\ #\n\`e\` %f`, 'A=1', 'LAST=é']

function environmentOf(given: string[], splits: boolean): string[] {
  const [program, ...args] = [...environmentCommand(given.length, 'env', splits), '/usr/bin/env', '-0']
  // A shell on the way, which keeps variables with ordinary names only.
  const { stdout } = spawnSync('sh', ['-c', 'exec "$@"', 'sh', program, ...args], {
    env: { PATH: '/usr/bin:/bin', OTHER: 'x', ...handedDown(given) },
    encoding: 'utf8',
  })
  return stdout.split('\0').slice(0, -1)
}

const ways = canSplit('env') ? [true, false] : [false]

test.each(ways)('the program gets its variables and no others, as they were and in order (%s)', (splits) => {
  expect(environmentOf(entries, splits)).toEqual(entries)
  expect(environmentOf([], splits)).toEqual([])
})

test('no value is a word of the command', () => {
  expect(environmentCommand(2, '/bin/env', true)).toEqual(['/bin/env', '-i', '-S', '-- ${given1} ${given2}'])
  expect(environmentCommand(2, '/bin/env', false)).toEqual([
    'sh',
    '-c',
    `exec '/bin/env' -i -- "$given1" "$given2" "$@"`,
    'sh',
  ])
  expect(environmentCommand(0, '/bin/env', true)).toEqual(['/bin/env', '-i'])
})

test('an env without -S is known', () => {
  expect(canSplit('true')).toBe(false)
})
