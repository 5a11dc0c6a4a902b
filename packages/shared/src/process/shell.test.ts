import { expect, test } from 'vitest'
import { hasTool, runScript } from './shell.ts'

test('a script says how it ended, and what it complained about', async () => {
  expect(await runScript('pwd >&2; echo $LC_ALL >&2; exit 3\n', '/usr')).toEqual({ code: 3, stderr: '/usr\nC\n' })
  expect(await runScript('')).toEqual({ code: 0, stderr: '' })
  // It does not read all of its input.
  expect(await runScript(`exit 0\n${'# long\n'.repeat(100_000)}`)).toMatchObject({ code: 0 })
  expect(await runScript('kill -9 $$')).toMatchObject({ code: null })
})

test('finds the tools of this machine', () => {
  expect([hasTool('sh'), hasTool('no-such-tool')]).toEqual([true, false])
})
