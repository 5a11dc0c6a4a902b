import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readFrom, TestBuilder } from '../testing/test-builder.ts'

let builder: TestBuilder
beforeEach(async () => {
  builder = await TestBuilder.create()
})
afterEach(() => builder.remove())

/** What a RUN's mounts show while it runs: by target, the content of a file or the names in a directory. */
function watchMounts(): Record<string, unknown>[] {
  const seen: Record<string, unknown>[] = []
  const inner = builder.runCommand
  builder.runCommand = (options, signal) => {
    const entries = (options.mounts ?? []).map(({ type, source, target, readOnly, options: given }) => {
      if (type === 'tmpfs') return [target, `tmpfs ${given ?? ''}`]
      if (!lstatSync(source).isDirectory()) return [target, readFileSync(source, 'utf8')]
      return [target, [...(readOnly ? [] : ['writable']), ...readdirSync(source)]]
    })
    seen.push(Object.fromEntries(entries) as Record<string, unknown>)
    return inner(options, signal)
  }
  return seen
}

test('files of the context, another stage and a tmpfs are there while a RUN runs, and not in its layer', async () => {
  const seen = watchMounts()
  const image = await builder.built(
    [
      'FROM base AS tools',
      'RUN write /bin/tool t',
      'FROM base',
      'WORKDIR /app',
      'RUN --mount=target=/ctx --mount=from=tools,source=/bin,target=tools --mount=type=tmpfs,target=/t,size=1m write /ctx/x y',
    ].join('\n'),
    { 'a.txt': 'a', '.dockerignore': 'Dockerfile\n.dockerignore' },
  )
  expect(seen[1]).toEqual({ '/ctx': ['a.txt'], '/app/tools': ['tool'], '/t': 'tmpfs size=1m' })
  expect(readFrom(image, '/ctx/x')).toBeUndefined()
  expect(readdirSync(join(builder.root, 'build', 'run'))).toEqual([])
})

test('what a bind shows decides whether the step is done again', async () => {
  const file = 'FROM base\nRUN --mount=source=a.txt,target=/a write /out x'
  await builder.built(file, { 'a.txt': '1' })
  await builder.built(file, { 'a.txt': '1', other: 'x' })
  expect(builder.commands).toHaveLength(1)
  await builder.built(file, { 'a.txt': '2' })
  expect(builder.commands).toHaveLength(2)
  expect((await builder.build(file)).error).toMatchObject({ message: expect.stringContaining('not found') as string })
})

test('a cache keeps what is in it from build to build, by id and not by target', async () => {
  const inner = builder.runCommand
  const found: string[][] = []
  builder.runCommand = (options, signal) => {
    const directory = options.mounts?.[0]?.source ?? ''
    found.push(readdirSync(directory))
    writeFileSync(join(directory, options.args.at(-1) ?? ''), '')
    return inner(options, signal)
  }
  await builder.built('FROM base\nRUN --mount=type=cache,id=npm,target=/npm,mode=0700 x')
  await builder.built('FROM base\nRUN --mount=type=cache,id=npm,target=/elsewhere y')
  await builder.built('FROM base\nRUN --mount=type=cache,target=/npm z')
  expect(found).toEqual([[], ['x'], []])
  expect(lstatSync(builder.runs[0]?.mounts?.[0]?.source ?? '').mode & 0o777).toBe(0o700)
})

test('a cache that begins with the files of a stage', async () => {
  const seen = watchMounts()
  await builder.built(
    'FROM base AS seed\nRUN write /seed/s 1\nFROM base\nRUN --mount=type=cache,from=seed,source=/seed,target=/c x',
  )
  expect(seen[1]).toEqual({ '/c': ['writable', 's'] })
})

test('secrets are files and variables of the steps that ask for them', async () => {
  const seen = watchMounts()
  const secrets = new Map([['token', Buffer.from('t0k')]])
  const file =
    'FROM base\nRUN --mount=type=secret,id=token x\nRUN --mount=type=secret,id=token,env=TOKEN y\nRUN --mount=type=secret,id=none z'
  const { error } = await builder.build(file, {}, { secrets })
  expect(error).toBeUndefined()
  expect(seen).toEqual([{ '/run/secrets/token': 't0k' }, {}, {}])
  expect(builder.runs[1]?.env).toContain('TOKEN=t0k')
  expect(builder.runs[0]?.env).not.toContain('TOKEN=t0k')
  const required = await builder.build('FROM base\nRUN --mount=type=secret,id=none,required=true z', {}, { secrets })
  expect(required.error).toMatchObject({ message: 'secret none: not found' })
})

test('an agent for ssh is not there, and a step that needs one says so', async () => {
  expect((await builder.build('FROM base\nRUN --mount=type=ssh x')).error).toBeUndefined()
  const { error } = await builder.build('FROM base\nRUN --mount=type=ssh,id=git,required=true x')
  expect(error).toMatchObject({ message: 'ssh git: not found' })
})

test('a heredoc with an interpreter is a script of its own, seen only by the command', async () => {
  const seen = watchMounts()
  const image = await builder.built('FROM base\nRUN <<EOF\n#!/usr/bin/env node\nprint\nEOF')
  expect(seen).toEqual([{ '/run/heredoc/EOF': '#!/usr/bin/env node\nprint\n' }])
  expect(builder.runs[0]?.args).toEqual(['/run/heredoc/EOF'])
  expect(readFrom(image, '/run/heredoc/EOF')).toBeUndefined()
})

test('a command gets the environment, user and directory of the stage, and a search path', async () => {
  await builder.built('FROM scratch\nENV A=1\nARG B=2\nUSER 5:6\nWORKDIR /w\nRUN ["x"]')
  expect(builder.runs[0]).toMatchObject({ user: '5:6', workdir: '/w', args: ['x'] })
  expect(builder.runs[0]?.env).toEqual([expect.stringMatching(/^PATH=.*:\/bin$/), 'A=1', 'B=2'])
})

test('names of --add-host reach every RUN, and change what is cached', async () => {
  const file = 'FROM base\nRUN x'
  await builder.built(file, {}, { extraHosts: ['db:10.0.0.1'] })
  expect(builder.runs[0]?.extraHosts).toEqual(['db:10.0.0.1'])
  await builder.built(file)
  expect(builder.commands).toHaveLength(2)
})

test('stderr of a RUN is red, stdout is not; a character split between two chunks stays whole', async () => {
  const inner = builder.runCommand
  builder.runCommand = (options, signal) => {
    const [first, second] = [Buffer.from('\u00e9').subarray(0, 1), Buffer.from('\u00e9\n').subarray(1)]
    for (const part of [first, second]) options.onOutput('stderr', part)
    return inner(options, signal)
  }
  const { text } = await builder.build('FROM base\nRUN fine')
  expect(text).toContain('\u001b[91m\u00e9\n\u001b[0mfine\n ---> Removed')
})

test('a step that fails is cleaned up, whatever failed', async () => {
  for (const failing of ['RUN exit 3', 'RUN --mount=from=nowhere,target=/x y']) {
    expect((await builder.build(`FROM base\n${failing}`)).error).toBeDefined()
    expect(builder.snapshotter.cleaned).toHaveLength(builder.snapshotter.prepared.length)
    expect(readdirSync(join(builder.root, 'build', 'run'))).toEqual([])
  }
})
