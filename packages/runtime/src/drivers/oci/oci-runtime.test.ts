import { expect, test } from 'vitest'
import { failureIn, OciRuntime, versionIn } from './oci-runtime.ts'

test.each([
  ['crun version 1.8.1\ncommit: f8a0\nrundir: /run/crun\n', 'crun 1.8.1'],
  ['runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1\nspec: 1.0.2-dev\n', 'runc 1.1.5+ds1'],
  ['something else\n', undefined],
])('the version in %j', (answer, expected) => {
  expect(versionIn(answer)).toBe(expected)
})

test.each([
  [
    'runc, with its frame and a warning before it',
    '{"level":"warning","msg":"w","time":"t"}\n{"level":"error","msg":"runc run failed: unable to start container process: exec: \\"x\\": permission denied","time":"t"}\n',
    'exec: "x": permission denied',
  ],
  ['crun', '{ "msg" : "cannot set limits", "level" : "error", "time" : "t" }\n', 'cannot set limits'],
  ['a line that is cut off', '{"level":"error","msg":"first"}\n{"level":"err', 'first'],
  ['nothing went wrong', '', undefined],
])('the failure in a log: %s', (_name, log, expected) => {
  expect(failureIn(log)).toBe(expected)
})

test('what is not installed is said', () => {
  expect(() => new OciRuntime('youki-of-nobody', '/state')).toThrow(
    'the oci driver needs an OCI runtime, and youki-of-nobody is not installed on this machine',
  )
  expect(() => new OciRuntime('/nowhere/crun', '/state')).toThrow('the oci driver cannot use /nowhere/crun')
})
