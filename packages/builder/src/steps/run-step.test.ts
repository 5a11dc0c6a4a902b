import { describe, expect, test } from 'vitest'
import type { Run } from '../dockerfile/instructions.ts'
import { parseCommands } from '../dockerfile/parse.ts'
import { runArguments, withoutMounts } from './run-step.ts'

function run(text: string) {
  return runArguments(parseCommands(text)[0] as unknown as Run, {})
}

describe('what a RUN executes', () => {
  test.each<[string, object]>([
    ['RUN echo $HOME', { args: ['/bin/sh', '-c', 'echo $HOME'] }],
    ['RUN ["echo", "$HOME"]', { args: ['echo', '$HOME'] }],
    ['RUN <<EOF\necho a\necho b\nEOF', { args: ['/bin/sh', '-c', 'echo a\necho b\n'] }],
    ['RUN <<-EOF\n\techo a\n\tEOF', { args: ['/bin/sh', '-c', 'echo a\n'] }],
    [
      'RUN <<EOF\n#!/usr/bin/env node\nx\nEOF',
      { args: ['/run/heredoc/EOF'], script: { path: '/run/heredoc/EOF', text: '#!/usr/bin/env node\nx\n' } },
    ],
    ['RUN cat <<A > /a && cat <<B\n1\nA\n2\nB', { args: ['/bin/sh', '-c', 'cat <<A > /a && cat <<B\n1\nA\n2\nB\n'] }],
  ])('%j', (text, expected) => expect(run(text)).toEqual(expected))

  test('SHELL is used', () => {
    const command = parseCommands('RUN x')[0] as unknown as Run
    expect(runArguments(command, { Shell: ['bash', '-ec'] })).toEqual({ args: ['bash', '-ec', 'x'] })
  })
})

describe('mounts leave no trace in the layer', () => {
  const add = (path: string) => ({ path, kind: 'add' as const })
  test.each<[string, string[], string[], string[]]>([
    ['mount points and what is in them', ['/cache', '/cache/x', '/app'], ['/cache'], ['/app']],
    ['directories made for them', ['/a', '/a/b', '/a/b/c'], ['/a/b/c'], []],
    ['directories that hold more', ['/a', '/a/b', '/a/b/c', '/a/own'], ['/a/b/c'], ['/a', '/a/own']],
    ['names that only begin alike', ['/cache2'], ['/cache'], ['/cache2']],
  ])('%s', (_case, changes, targets, kept) => {
    const left = withoutMounts(
      changes.map(add),
      targets.map((target) => ({ target })),
    )
    expect(left.map(({ path }) => path)).toEqual(kept)
  })
})
