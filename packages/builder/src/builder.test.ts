import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import type { Rootfs, Snapshotter } from '@dinghy/images/layers/snapshotter'
import { DockerError } from '@dinghy/shared/docker/errors'
import type { OciImageConfig } from '@dinghy/images/content/oci'
import { ImageSource } from '@dinghy/images/image-source'
import type { Image } from '@dinghy/images/store/image-store'
import { ImageStore } from '@dinghy/images/store/image-store'
import { viewOf } from '@dinghy/images/store/image-view'
import { parseReference } from '@dinghy/shared/docker/reference'
import type { TarHeader } from '@dinghy/images/files/tar'
import { tarStream } from '@dinghy/images/files/tar'
import { BuildCache } from './build-cache.ts'
import { BuildContext } from './build-context.ts'
import type { BuildOptions, BuildServices } from './builder.ts'
import { prepareBuild, runBuild } from './builder.ts'
import type { RunCommand } from './steps/run-command.ts'
import { CommandFailedError } from './steps/run-step.ts'

/** Keeps what a command writes in a directory; there is no isolation and no process. */
class FakeSnapshotter implements Snapshotter {
  readonly prepared: Rootfs[] = []
  prepare(rootfs: Rootfs): Promise<void> {
    this.prepared.push(rootfs)
    mkdirSync(join(rootfs.dir, 'upper'), { recursive: true })
    return Promise.resolve()
  }
  changes({ dir }: Rootfs): Promise<{ path: string; kind: 'add' }[]> {
    const names = readdirSync(join(dir, 'upper'), { recursive: true }) as string[]
    return Promise.resolve(names.map((name) => ({ path: `/${name}`, kind: 'add' })))
  }
  changedDirectory(rootfs: Rootfs, path: string): Promise<string> {
    return this.pathIn(rootfs, path)
  }
  pathIn({ dir }: Rootfs, path: string): Promise<string> {
    return Promise.resolve(join(dir, 'upper', path))
  }
  cleanup({ dir }: Rootfs): Promise<void> {
    rmSync(dir, { recursive: true, force: true })
    return Promise.resolve()
  }
}

let root: string
let images: ImageStore
let clock: FakeClock
let commands: string[]
let runCommand: RunCommand
let snapshotter: FakeSnapshotter

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'builder-'))
  clock = new FakeClock()
  images = new ImageStore({ root, clock })
  snapshotter = new FakeSnapshotter()
  commands = []
  // `write PATH TEXT` and `exit CODE`; anything is echoed.
  runCommand = ({ rootfs, args, network, onOutput }) => {
    const text = args.at(-1) ?? ''
    commands.push(network === 'none' ? `${text} without a network` : text)
    onOutput('stdout', Buffer.from(`${text}\n`))
    const [verb, path = '', ...rest] = text.split(' ')
    if (verb === 'exit') return Promise.resolve(Number(path))
    if (verb === 'write') {
      const target = join(rootfs.dir, 'upper', path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, rest.join(' '))
    }
    return Promise.resolve(0)
  }
  const base: OciImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [] },
  }
  await images.tag((await images.create(base)).id, parseReference('base'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

type Files = Record<string, string | Partial<TarHeader>>

async function build(dockerfile: string, files: Files = {}, options: Partial<BuildOptions> = {}, signal?: AbortSignal) {
  const tar = tarStream(async (archive) => {
    for (const [name, content] of Object.entries({ Dockerfile: dockerfile, ...files })) {
      const body = typeof content === 'string' ? Buffer.from(content) : undefined
      const defaults = { name, type: 'file' as const, mode: 0o644, uid: 5, gid: 5, mtime: new Date(clock.now()) }
      await archive.add({ ...defaults, size: body?.length ?? 0, ...(typeof content === 'string' ? {} : content) }, body)
    }
  })
  const machine = { find: () => undefined, modifiedAt: () => new Date(0), nodeVersion: 'v20' }
  const services: BuildServices = {
    images,
    source: new ImageSource({ images, machine, log: { warn: () => undefined } }),
    cache: new BuildCache(root, images, clock),
    snapshotter,
    runCommand,
    clock,
    directory: join(root, 'build'),
  }
  const all: BuildOptions = {
    dockerfile: 'Dockerfile',
    buildArgs: {},
    labels: {},
    noCache: false,
    pull: false,
    network: 'default',
    ...options,
  }
  const context = await BuildContext.receive(tar, join(root, 'contexts'), 'Dockerfile')
  let text = ''
  try {
    const events = { onText: (line: string) => (text += line), onProgress: () => undefined, onImage: () => undefined }
    const prepared = prepareBuild(context, all)
    const image = await runBuild(prepared, context, services, events, signal ?? new AbortController().signal)
    return { image, text }
  } catch (error) {
    return { error, text }
  } finally {
    context.remove()
  }
}

async function built(...args: Parameters<typeof build>): Promise<Image> {
  const { image, error } = await build(...args)
  if (!image) throw error
  return image
}

function read(image: Image, path: string) {
  return viewOf(image).readFile(path)?.toString()
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
    await clock.advance(3_600_000)
    const { image, text } = await build(dockerfileText, { 'a.txt': '1' })
    expect(image?.id).toBe(first.id)
    expect(text.match(/Using cache/g)).toHaveLength(3)
    expect(commands).toEqual(['write /b $V', 'write /c'])
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
    commands = []
    await build(file, files, options)
    expect(commands).toHaveLength(runs)
  })

  test('a build argument counts from its ARG on', async () => {
    const file = 'FROM base\nRUN write /a\nARG V\nRUN write /b'
    await build(file, {}, { buildArgs: { V: '1' } })
    commands = []
    const image = await built(file, {}, { buildArgs: { V: '2' } })
    expect(commands).toEqual(['write /b'])
    expect(image.config.history?.at(-1)?.created_by).toBe('|1 V=2 /bin/sh -c write /b')
  })
})

test('a step, or all of them, without a network', async () => {
  const file = 'FROM base\nRUN --network=none write /a 1\nRUN write /b 2'
  await built(file)
  expect(commands).toEqual(['write /a 1 without a network', 'write /b 2'])
  // What ran with a network is not what runs without.
  await build(file, {}, { network: 'none' })
  expect(commands.slice(2)).toEqual(['write /b 2 without a network'])
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
    expect(commands).toEqual(['write /deps d'])
    expect(read(image, '/d')).toBe('d')
  })

  test('independent stages run at the same time, and are shown in order', async () => {
    const events: string[] = []
    let release = (): void => undefined
    const bothStarted = new Promise<void>((resolve) => (release = resolve))
    const inner = runCommand
    runCommand = async (...args) => {
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
    expect(readdirSync(join(root, 'build', 'run'))).toEqual([])
  })

  test('a runtime that refuses is the build’s error', async () => {
    runCommand = () => Promise.reject(new DockerError(500, 'this driver cannot keep a RUN inside its root'))
    const { error } = await build('FROM base\nRUN x')
    expect(error).toMatchObject({ message: 'this driver cannot keep a RUN inside its root' })
  })

  test('an abort stops between steps', async () => {
    const abort = new AbortController()
    runCommand = () => {
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
    writeFileSync(join(root, 'secret'), 'outside')
    const climbing: Files = { 'dir/up': { type: 'symlink', linkname: '../../../secret' } }
    const absolute: Files = { out: { type: 'symlink', linkname: join(root, 'secret') } }
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
    const owners = await Promise.all(
      image.config.rootfs.diff_ids.map(async (diffId) => {
        const bytes = readFileSync(images.content.path((await images.layers.get(diffId))?.blob.digest ?? ''))
        return [bytes.toString('latin1', 108, 115), bytes.toString('latin1', 116, 123)].map((text) => parseInt(text, 8))
      }),
    )
    expect(owners).toEqual([
      [0, 0],
      [7, 8],
    ])
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
