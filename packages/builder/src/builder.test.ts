import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DockerError } from '@dinghy/shared/docker/errors'
import { viewOf } from '@dinghy/images/store/image-view'
import type { Image } from '@dinghy/images/store/image-store'
import { readTar, tarStream } from '@dinghy/images/files/tar'
import type { BuildOptions } from './builder.ts'
import { CommandFailedError } from './steps/run-step.ts'
import { type Files, readFrom as read, TestBuilder } from './testing/test-builder.ts'

let builder: TestBuilder
beforeEach(async () => {
  builder = await TestBuilder.create()
})
afterEach(() => builder.remove())

function build(...args: Parameters<TestBuilder['build']>) {
  return builder.build(...args)
}

function built(...args: Parameters<TestBuilder['built']>) {
  return builder.built(...args)
}

/** The entries of each layer, as "name mode uid:gid". */
function headers(image: Image): Promise<string[][]> {
  return Promise.all(
    image.config.rootfs.diff_ids.map(async (diffId) => {
      const { blob } = (await builder.images.layers.get(diffId)) ?? {}
      const entries: string[] = []
      for await (const { header } of readTar(builder.images.content.stream(blob?.digest ?? '')))
        entries.push(`${header.name} ${header.mode.toString(8)} ${header.uid}:${header.gid}`)
      return entries
    }),
  )
}

test('steps become layers, config and history', async () => {
  const { image, text } = await build(
    'FROM base\nWORKDIR /app\nCOPY a.txt ./\nRUN write /out hello\nENV A=1\nCMD ["x"]',
    { 'a.txt': 'content' },
    { labels: { l: 'v' } },
  )
  expect(text).toMatch(/^Step 1\/7 : FROM base\n ---> [0-9a-f]{12}\nStep 2\/7 : WORKDIR \/app\n ---> [0-9a-f]{12}\n/)
  expect(text).toMatch(
    / ---> Running in [0-9a-f]{12}\nwrite \/out hello\n ---> Removed intermediate container [0-9a-f]{12}\n/,
  )
  if (!image) throw new Error('no image')
  expect(read(image, '/app/a.txt')).toBe('content')
  expect(read(image, '/out')).toBe('hello')
  expect(image.config.config).toMatchObject({
    WorkingDir: '/app',
    Env: ['PATH=/bin', 'A=1'],
    Cmd: ['x'],
    Labels: { l: 'v' },
  })
  expect(image.config.history?.map(({ created_by }) => created_by)).toEqual([
    '/bin/sh -c #(nop) WORKDIR /app',
    expect.stringMatching(/^\/bin\/sh -c #\(nop\) COPY file:[0-9a-f]{64} in \.\/ $/),
    '/bin/sh -c write /out hello',
    '/bin/sh -c #(nop)  ENV A=1',
    '/bin/sh -c #(nop)  CMD ["x"]',
    '/bin/sh -c #(nop)  LABEL l=v',
  ])
  expect(image.config.rootfs.diff_ids).toHaveLength(3)
})

describe('the cache', () => {
  const dockerfileText = 'FROM base\nCOPY a.txt /a\nRUN write /b $V\nRUN write /c'

  test('gives the same image for the same input, whatever the time', async () => {
    const first = await built(dockerfileText, { 'a.txt': '1' })
    await builder.clock.advance(3_600_000)
    const { image, text } = await build(dockerfileText, { 'a.txt': '1' })
    expect(image?.id).toBe(first.id)
    expect(text.match(/Using cache/g)).toHaveLength(3)
    expect(builder.commands).toEqual(['write /b $V', 'write /c'])
  })

  test.each<[string, string, Files, Partial<BuildOptions>, number]>([
    ['another file', dockerfileText, { 'a.txt': '2' }, {}, 2],
    ['another mode', dockerfileText, { 'a.txt': { mode: 0o755 } }, {}, 2],
    ['another command', dockerfileText.replace('/c', '/d'), { 'a.txt': '1' }, {}, 1],
    ['an unrelated file', dockerfileText, { 'a.txt': '1', other: 'x' }, {}, 0],
    ['--no-cache', dockerfileText, { 'a.txt': '1' }, { noCache: true }, 2],
    ['an argument nobody declares', dockerfileText, { 'a.txt': '1' }, { buildArgs: { V: '1' } }, 0],
    ['a proxy', dockerfileText, { 'a.txt': '1' }, { buildArgs: { HTTP_PROXY: 'p' } }, 0],
  ])('%s', async (_case, file, files, options, runs) => {
    await build(dockerfileText, { 'a.txt': '1' })
    builder.commands = []
    await build(file, files, options)
    expect(builder.commands).toHaveLength(runs)
  })

  test('a build argument counts from its ARG on', async () => {
    const file = 'FROM base\nRUN write /a\nARG V\nRUN write /b'
    await build(file, {}, { buildArgs: { V: '1' } })
    builder.commands = []
    const image = await built(file, {}, { buildArgs: { V: '2' } })
    expect(builder.commands).toEqual(['write /b'])
    expect(image.config.history?.at(-1)?.created_by).toBe('|1 V=2 /bin/sh -c write /b')
  })
})

test('a step, or all of them, without a network', async () => {
  const file = 'FROM base\nRUN --network=none write /a 1\nRUN write /b 2'
  await built(file)
  expect(builder.commands).toEqual(['write /a 1 without a network', 'write /b 2'])
  // What ran with a network is not what runs without.
  await build(file, {}, { network: 'none' })
  expect(builder.commands.slice(2)).toEqual(['write /b 2 without a network'])
})

describe('stages', () => {
  test('only what the target needs runs, and files come from other stages', async () => {
    const file = [
      'FROM base AS deps',
      'RUN write /deps d',
      'FROM base AS unused',
      'RUN write /unused u',
      'FROM scratch',
      'COPY --from=deps /deps /d',
    ].join('\n')
    const image = await built(file)
    expect(builder.commands).toEqual(['write /deps d'])
    expect(read(image, '/d')).toBe('d')
  })

  test('independent stages run at the same time, and are shown in order', async () => {
    const events: string[] = []
    let release = (): void => undefined
    const bothStarted = new Promise<void>((resolve) => (release = resolve))
    const inner = builder.runCommand
    builder.runCommand = async (...args) => {
      events.push('started')
      if (events.length === 2) release()
      await bothStarted
      return inner(...args)
    }
    const { text, error } = await build(
      'FROM base AS a\nRUN write /a\nFROM base AS b\nRUN write /b\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /',
    )
    expect(error).toBeUndefined()
    expect(text.match(/Step \d+/g)).toEqual(['Step 1', 'Step 2', 'Step 3', 'Step 4', 'Step 5', 'Step 6', 'Step 7'])
  })

  test('a trigger of the base runs in the next stage', async () => {
    const file = 'FROM base AS p\nONBUILD RUN write /t triggered\nONBUILD ENV T=1\nFROM p'
    const { image, text } = await build(file)
    expect(text).toContain('# Executing 2 build triggers\n')
    expect(image && read(image, '/t')).toBe('triggered')
    expect(image?.config.config).toEqual({ Env: ['PATH=/bin', 'T=1'] })
  })
})

describe('failures', () => {
  test('a command’s exit code is the build’s', async () => {
    const { error, text } = await build('FROM base\nRUN exit 7')
    expect(error).toBeInstanceOf(CommandFailedError)
    expect(error).toMatchObject({ code: 7, message: "The command '/bin/sh -c exit 7' returned a non-zero code: 7" })
    expect(text).not.toContain('Removed intermediate container')
    expect(readdirSync(join(builder.root, 'build', 'run'))).toEqual([])
  })

  test('a runtime that refuses is the build’s error', async () => {
    builder.runCommand = () => Promise.reject(new DockerError(500, 'this driver cannot keep a RUN inside its root'))
    const { error } = await build('FROM base\nRUN x')
    expect(error).toMatchObject({ message: 'this driver cannot keep a RUN inside its root' })
  })

  test('an abort stops between steps', async () => {
    const abort = new AbortController()
    builder.runCommand = () => {
      abort.abort()
      return Promise.resolve(0)
    }
    const { error } = await build('FROM base\nRUN x\nRUN y', {}, {}, abort.signal)
    expect(error).toMatchObject({ name: 'AbortError' })
  })

  test('nothing but scratch is no image', async () => {
    expect((await build('FROM scratch')).error).toMatchObject({
      message: 'No image was generated. Is your Dockerfile empty?',
    })
  })

  test('a Dockerfile that is not there', async () => {
    const file = { type: 'directory' as const, name: 'Dockerfile' }
    await expect(build('', { Dockerfile: file })).resolves.toMatchObject({
      error: { message: 'Cannot locate specified Dockerfile: Dockerfile' },
    })
  })
})

describe('the context', () => {
  test('links lead nowhere else, and ignored files do not exist', async () => {
    writeFileSync(join(builder.root, 'secret'), 'outside')
    const climbing: Files = { 'dir/up': { type: 'symlink', linkname: '../../../secret' } }
    const absolute: Files = { out: { type: 'symlink', linkname: join(builder.root, 'secret') } }
    for (const [from, files] of [['dir/up', climbing] as const, ['out', absolute] as const]) {
      expect((await build(`FROM base\nCOPY ${from} /x`, files)).error).toMatchObject({
        message: expect.stringContaining('file not found in build context') as string,
      })
    }
    const link = viewOf(await built('FROM base\nCOPY . /', climbing)).lookup('/dir/up', 'keep')
    expect(readlinkSync(link?.hostPath ?? '')).toBe('../../../secret')
    const ignored = await build('FROM base\nCOPY . /x/', { '.dockerignore': '*.key\nDockerfile', 'a.key': 'k', b: 'b' })
    expect(ignored.image && viewOf(ignored.image).readdir('/x')).toEqual(['.dockerignore', 'b'])
  })

  test('files belong to root, whoever sent them', async () => {
    const image = await built('FROM base\nCOPY a /a\nCOPY --chown=7:8 a /b', { a: 'x' })
    expect(await headers(image)).toEqual([['a 644 0:0'], ['b 644 7:8']])
  })

  test('a directory that the destination lacks is root’s and open to all, or as --chown says', async () => {
    const files: Files = {
      'src/': { type: 'directory', mode: 0o700, uid: 5, gid: 5 },
      'src/a': 'x',
      'empty/': { type: 'directory', mode: 0o700 },
    }
    const file =
      'FROM base AS one\nCOPY src /app\nCOPY empty /e\nCOPY --chown=7:8 --chmod=600 src /own\nFROM base\nCOPY --from=one /app /copy'
    const first = await headers(await built(file, files, { target: 'one' }))
    expect(first).toEqual([['app/ 755 0:0', 'app/a 644 0:0'], ['e/ 755 0:0'], ['own/ 755 7:8', 'own/a 600 7:8']])
    expect((await headers(await built(file, files))).at(-1)).toEqual(['copy/ 755 0:0', 'copy/a 644 0:0'])
  })

  test('heredocs are files', async () => {
    const image = await built('FROM base\nENV V=1\nCOPY <<one <<"two" /d/\nv=$V\none\nv=$V\ntwo')
    expect([read(image, '/d/one'), read(image, '/d/two')]).toEqual(['v=1\n', 'v=$V\n'])
  })

  test('ADD unpacks archives, COPY does not', async () => {
    const archive = tarStream(async (tar) => {
      const header = {
        name: 'in/file',
        type: 'file' as const,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: 2,
        mtime: new Date(0),
      }
      await tar.add(header, Buffer.from('ok'))
    })
    const chunks: Buffer[] = []
    for await (const chunk of archive) chunks.push(chunk as Buffer)
    const content = Buffer.concat(chunks).toString('latin1')
    const image = await built('FROM base\nADD t.tar /a\nCOPY t.tar /b', { 't.tar': content })
    expect(read(image, '/a/in/file')).toBe('ok')
    expect(read(image, '/b')).toHaveLength(content.length)
  })
})
