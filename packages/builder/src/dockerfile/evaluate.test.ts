import { describe, expect, test } from 'vitest'
import type { RunConfig } from '@dinghy/images/content/oci'
import type { GivenArgs } from './build-args.ts'
import { BuildArgs, platformArgs, unusedArgs } from './build-args.ts'
import type { StageState } from './evaluate.ts'
import { commandArgs, evaluate, expandCopy, initialState, runArgs, workingDirectory } from './evaluate.ts'
import type { Copy, Metadata } from './instructions.ts'
import { parseCommands } from './parse.ts'

function start(config: RunConfig = {}, given: GivenArgs = {}, global: Record<string, string> = {}): StageState {
  return initialState(
    { architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: [] } },
    new BuildArgs(given, global),
    '\\',
  )
}

function run(state: StageState, text: string) {
  const comments: string[] = []
  for (const command of parseCommands(text)) {
    const evaluated = evaluate(state, command as Metadata)
    state = evaluated.state
    comments.push(evaluated.comment)
  }
  return { ...state, comments }
}

describe('the config', () => {
  test.each<[string, RunConfig, RunConfig, string]>([
    ['ENV B=$A C=2', { Env: ['A=1', 'C=0'] }, { Env: ['A=1', 'C=2', 'B=1'] }, 'ENV B=1 C=2'],
    ['LABEL a=x', { Labels: { a: 'o', b: 'p' } }, { Labels: { a: 'x', b: 'p' } }, 'LABEL a=x'],
    ['CMD ["a","b"]', {}, { Cmd: ['a', 'b'] }, 'CMD ["a" "b"]'],
    [
      'CMD a b',
      { Shell: ['bash', '-c'] },
      { Cmd: ['bash', '-c', 'a b'], Shell: ['bash', '-c'] },
      'CMD ["bash" "-c" "a b"]',
    ],
    ['ENTRYPOINT ["a"]', { Cmd: ['old'] }, { Entrypoint: ['a'], Cmd: null }, 'ENTRYPOINT ["a"]'],
    [
      'EXPOSE 80 53/udp 8000-8001',
      {},
      { ExposedPorts: { '53/udp': {}, '80/tcp': {}, '8000/tcp': {}, '8001/tcp': {} } },
      'EXPOSE 53/udp 80 8000-8001',
    ],
    ['VOLUME /a $A', { Env: ['A=/b'] }, { Env: ['A=/b'], Volumes: { '/a': {}, '/b': {} } }, 'VOLUME [/a /b]'],
    ['USER $A', { Env: ['A=me'] }, { Env: ['A=me'], User: 'me' }, 'USER me'],
    ['STOPSIGNAL SIGQUIT', {}, { StopSignal: 'SIGQUIT' }, 'STOPSIGNAL SIGQUIT'],
    ['SHELL ["bash","-c"]', {}, { Shell: ['bash', '-c'] }, 'SHELL [bash -c]'],
    ['ONBUILD RUN x', {}, { OnBuild: ['RUN x'] }, 'ONBUILD RUN x'],
    [
      'HEALTHCHECK --interval=5s CMD x',
      {},
      { Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 5e9 } },
      'HEALTHCHECK &{["CMD-SHELL" "x"] "5s" "0s" "0s" "0s" 0}',
    ],
  ])('%s', (text, before, after, comment) => {
    const result = run(start(before), text)
    expect(result.config).toEqual(after)
    expect(result.comments).toEqual([comment])
  })

  test('a CMD of this stage survives an ENTRYPOINT after it', () => {
    expect(run(start(), 'CMD ["a"]\nENTRYPOINT ["b"]').config).toEqual({ Cmd: ['a'], Entrypoint: ['b'] })
  })

  test('the base’s ONBUILD is not inherited', () => {
    expect(start({ OnBuild: ['RUN x'], User: 'me' }).config).toEqual({ User: 'me' })
  })

  test.each([
    ['EXPOSE http', 'invalid containerPort: http'],
    ['EXPOSE 80/foo', 'invalid proto: foo'],
    ['STOPSIGNAL SIGFOO', 'Invalid signal: SIGFOO'],
    ['ENV A="${B:?must be set}"', 'B: must be set'],
  ])('%s fails', (text, message) => expect(() => run(start(), text)).toThrow(message))
})

test('WORKDIR adds up', () => {
  const state = start({ WorkingDir: '/a/b', Env: ['D=x'] })
  expect(['c', '../c', '/c/', '$D', '.'].map((path) => workingDirectory(state, path))).toEqual([
    '/a/b/c',
    '/a/c',
    '/c',
    '/a/b/x',
    '/a/b',
  ])
  expect(workingDirectory(start(), 'app')).toBe('/app')
})

describe('ARG', () => {
  test('given values need a declaration, ENV beats both', () => {
    const state = start({ Env: ['C=env'] }, { A: 'given', B: 'unseen', C: 'given' })
    const after = run(state, 'ARG A=fallback\nARG C\nARG D=$A-$B\nENV X=$A-$B-$C-$D')
    expect(after.config.Env).toContain('X=given--env-given-')
    expect(after.comments.slice(0, 3)).toEqual(['ARG A=fallback', 'ARG C', 'ARG D=given-'])
  })

  test('an ARG without a value takes the one before FROM', () => {
    expect(run(start({}, {}, { V: '7' }), 'ARG V\nENV X=$V').config.Env).toEqual(['X=7'])
    expect(run(start({}, {}, { V: '7' }), 'ENV X=$V').config.Env).toEqual(['X='])
    expect(run(start({}, {}, { V: '7' }), 'ARG V=8\nENV X=$V').config.Env).toEqual(['X=8'])
  })

  test('a RUN gets arguments that no ENV hides; proxies do not count for the cache', () => {
    const { args, config } = run(start({ Env: ['C=env'] }, { HTTP_PROXY: 'p', A: '1', C: '2' }), 'ARG A\nARG C')
    expect(runArgs(config, args.all())).toEqual(['A=1', 'HTTP_PROXY=p'])
    expect(runArgs(config, args.significant())).toEqual(['A=1'])
  })

  test('unused ones are reported', () => {
    expect(unusedArgs({ B: '1', A: '2', C: '3', no_proxy: 'x' }, new Set(['C']))).toEqual(['A', 'B'])
  })

  test('the platform has names', () => {
    const arm = { os: 'linux', architecture: 'arm64', variant: 'v8' }
    expect(platformArgs({ os: 'linux', architecture: 'amd64' }, arm)).toMatchObject({
      BUILDPLATFORM: 'linux/amd64',
      TARGETPLATFORM: 'linux/arm64/v8',
      TARGETARCH: 'arm64',
      BUILDVARIANT: '',
    })
  })
})

test('COPY words are expanded', () => {
  const [copy] = parseCommands('COPY --chown=$U:$U $S/x* "q" ${D:-/d}/')
  expect(expandCopy(start({ Env: ['U=me', 'S=src'] }), copy as Copy)).toMatchObject({
    chown: 'me:me',
    sources: ['src/x*', 'q'],
    destination: '/d/',
  })
})

test('the shell form goes through SHELL, the exec form does not', () => {
  expect(commandArgs({}, { args: ['a b'], isShell: true })).toEqual(['/bin/sh', '-c', 'a b'])
  expect(commandArgs({ Shell: ['x'] }, { args: ['a b'], isShell: false })).toEqual(['a b'])
})
