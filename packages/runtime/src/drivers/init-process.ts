/**
 * `docker run --init`: a first process that passes signals on and reaps orphans. Docker brings a static binary for it; here
 * the container's own shell does the same, so the image must have one.
 */
import type { ProcessSpec } from './driver.ts'
import { startError, type Lookup } from './executable.ts'

const FORWARDED = ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'TERM', 'CONT']

/** `wait` returns early for every signal that was passed on; only the end of the child ends the loop. */
export const INIT_SCRIPT = [
  '"$@" <&0 &',
  'child=$!',
  ...FORWARDED.map((name) => `trap 'kill -${name} $child' ${name}`),
  'while kill -0 $child 2>/dev/null; do wait $child; code=$?; done',
  'exit $code',
].join('\n')

export function underInit(spec: ProcessSpec, lookup: Lookup): ProcessSpec {
  const shell = '/bin/sh'
  if (lookup(shell) === undefined) throw startError(`--init needs ${shell} in the image: no such file or directory`)
  return { ...spec, args: [shell, '-c', INIT_SCRIPT, 'init', ...spec.args] }
}
