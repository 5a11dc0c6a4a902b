/**
 * `docker run --init`: a first process that passes signals on and reaps orphans. Docker brings a static binary for it;
 * here the container's own shell does the same, so the image must have one.
 */
import type { ProcessSpec } from './driver.ts'
import type { Lookup } from './executable.ts'
import { startError } from '../start-error.ts'

const forwarded = ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'TERM', 'CONT']

/** `wait` returns early for every signal that was passed on; only the end of the child ends the loop. */
const initScript = [
  // What a shell says about its children's deaths is nobody's output.
  'exec 3>&2 2>/dev/null',
  '"$@" <&0 2>&3 3>&- &',
  'child=$!',
  ...forwarded.map((name) => `trap 'kill -${name} $child' ${name}`),
  'while wait $child; code=$?; kill -0 $child; do :; done',
  'exit $code',
].join('\n')

export function underInit(spec: ProcessSpec, lookup: Lookup): ProcessSpec {
  const shell = '/bin/sh'
  if (lookup(shell) === undefined) throw startError(`--init needs ${shell} in the image: no such file or directory`)
  return { ...spec, args: [shell, '-c', initScript, 'init', ...spec.args] }
}
