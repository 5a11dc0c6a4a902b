/**
 * A builder for tests: a real image store in a directory of its own, and a fake runner whose commands write files and
 * end, without a process. What a RUN would see is in `runs`.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { FakeClock } from '@dinghy/shared/api/clock'
import { parseReference } from '@dinghy/shared/docker/reference'
import type { OciImageConfig } from '@dinghy/images/content/oci'
import type { TarHeader } from '@dinghy/images/files/tar'
import { tarStream } from '@dinghy/images/files/tar'
import { ImageSource } from '@dinghy/images/image-source'
import type { Rootfs, Snapshotter } from '@dinghy/images/layers/snapshotter'
import type { Image } from '@dinghy/images/store/image-store'
import { ImageStore } from '@dinghy/images/store/image-store'
import { viewOf } from '@dinghy/images/store/image-view'
import type { Machine } from '@dinghy/images/store/machine'
import { BuildCache } from '../build-cache.ts'
import { BuildContext } from '../build-context.ts'
import type { BuildOptions, BuildServices } from '../builder.ts'
import { prepareBuild, runBuild } from '../builder.ts'
import type { RunCommand } from '../steps/run-command.ts'

/** Keeps what a command writes in a directory; there is no isolation and no process. */
class FakeSnapshotter implements Snapshotter {
  readonly prepared: Rootfs[] = []
  readonly cleaned: Rootfs[] = []
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
  cleanup(rootfs: Rootfs): Promise<void> {
    this.cleaned.push(rootfs)
    rmSync(rootfs.dir, { recursive: true, force: true })
    return Promise.resolve()
  }
}

/** A text is a regular file; anything else a part of its header. */
export type Files = Record<string, string | Partial<TarHeader>>

export class TestBuilder {
  readonly root = mkdtempSync(join(tmpdir(), 'builder-'))
  readonly clock = new FakeClock()
  readonly images = new ImageStore({ root: this.root, clock: this.clock })
  readonly snapshotter = new FakeSnapshotter()
  /** What the commands were, in order. */
  commands: string[] = []
  /** What each command was given. */
  runs: Parameters<RunCommand>[0][] = []
  /** `write PATH TEXT`, `exit CODE` and `complain TEXT` (to stderr); anything is echoed. */
  runCommand: RunCommand = (options) => {
    const { rootfs, args, network, onOutput } = options
    const text = args.at(-1) ?? ''
    this.runs.push(options)
    this.commands.push(network === 'none' ? `${text} without a network` : text)
    onOutput(text.startsWith('complain ') ? 'stderr' : 'stdout', Buffer.from(`${text}\n`))
    const [verb, path = '', ...rest] = text.split(' ')
    if (verb === 'exit') return Promise.resolve(Number(path))
    if (verb === 'write') {
      const target = join(rootfs.dir, 'upper', path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, rest.join(' '))
    }
    return Promise.resolve(0)
  }
  /** What host bases are made of; nothing is installed. */
  machine: Machine = {
    find: () => undefined,
    stat: () => ({ modifiedAt: new Date(0), bytes: 0 }),
    nodeVersion: 'v20',
    output: () => '',
  }

  /** With an image called "base" to start from. */
  static async create(): Promise<TestBuilder> {
    const builder = new TestBuilder()
    const base: OciImageConfig = {
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [] },
    }
    await builder.images.tag((await builder.images.create(base)).id, parseReference('base'))
    return builder
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  /** Never rejects: the error is a part of the result. */
  async build(
    dockerfile: string,
    files: Files = {},
    options: Partial<BuildOptions> = {},
    signal?: AbortSignal,
  ): Promise<{ text: string; image?: Image; error?: unknown }> {
    const services: BuildServices = {
      images: this.images,
      source: new ImageSource({ images: this.images, machine: this.machine, log: { warn: () => undefined } }),
      cache: new BuildCache(this.root, this.images, this.clock),
      snapshotter: this.snapshotter,
      runCommand: (...args) => this.runCommand(...args),
      clock: this.clock,
      directory: join(this.root, 'build'),
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
    const tar = this.#tar({ Dockerfile: dockerfile, ...files })
    const context = await BuildContext.receive(tar, join(this.root, 'contexts'), 'Dockerfile')
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

  async built(...args: Parameters<TestBuilder['build']>): Promise<Image> {
    const { image, error } = await this.build(...args)
    if (!image) throw error
    return image
  }

  #tar(files: Files) {
    return tarStream(async (archive) => {
      for (const [name, content] of Object.entries(files)) {
        const body = typeof content === 'string' ? Buffer.from(content) : undefined
        const defaults = { name, type: 'file' as const, mode: 0o644, uid: 5, gid: 5, mtime: new Date(this.clock.now()) }
        const size = body?.length ?? 0
        await archive.add({ ...defaults, size, ...(typeof content === 'string' ? {} : content) }, body)
      }
    })
  }
}

export function readFrom(image: Image, path: string): string | undefined {
  return viewOf(image).readFile(path)?.toString()
}
