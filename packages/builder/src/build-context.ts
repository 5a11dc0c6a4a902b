/**
 * The build context: the files a client sends along with `docker build`, unpacked into a directory of their own.
 * It is read through a LayerView, so links in it lead nowhere else, and through `.dockerignore`, so what is ignored
 * does not exist.
 */
import { randomUUID } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { decompressed } from '@dinghy/images/files/compression'
import { DockerfileError } from './dockerfile/parse.ts'
import { applyLayer } from '@dinghy/images/layers/layer-apply'
import { LayerView } from '@dinghy/images/layers/layer-view'
import type { CopySource } from './steps/copy-plan.ts'
import { IgnorePatterns } from '@dinghy/shared/docker/dockerignore'

export class BuildContext {
  readonly directory: string
  readonly #ignored: IgnorePatterns
  readonly #dockerfile: string

  private constructor(directory: string, dockerfile: string) {
    this.directory = directory
    this.#dockerfile = posix.join('/', dockerfile)
    const everything = plainView(directory)
    // A Dockerfile may bring its own list.
    const own = everything.readFile(`${this.#dockerfile}.dockerignore`) ?? everything.readFile('/.dockerignore')
    this.#ignored = IgnorePatterns.parse(own?.toString() ?? '')
  }

  /** Unpacks a tar, compressed or not, below `parent`. */
  static async receive(tar: Readable, parent: string, dockerfile: string, signal?: AbortSignal): Promise<BuildContext> {
    const directory = BuildContext.newDirectory(parent)
    try {
      const { stream } = await decompressed(tar, signal)
      await applyLayer(stream, directory, { privileged: process.getuid?.() === 0, isPlainArchive: true }, signal)
      return new BuildContext(directory, dockerfile)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  /** Takes over a directory that is already there, such as a git checkout below `parent`. */
  static at(directory: string, dockerfile: string): BuildContext {
    return new BuildContext(directory, dockerfile)
  }

  static newDirectory(parent: string): string {
    const directory = join(parent, randomUUID())
    mkdirSync(directory, { recursive: true })
    return directory
  }

  /** The Dockerfile's text; it is there even if it is ignored. */
  dockerfile(): string {
    const bytes = plainView(this.directory).readFile(this.#dockerfile)
    if (!bytes) throw new DockerfileError(`Cannot locate specified Dockerfile: ${this.#dockerfile.slice(1)}`)
    return bytes.toString()
  }

  source(): CopySource {
    const ignored = this.#ignored
    const layer = { directory: this.directory, opaque: new Set<string>() }
    const list = (path: string) => namesIn(join(this.directory, path))
    const view = new LayerView([ignored.isEmpty ? layer : { ...layer, shows: (path) => ignored.keeps(path, list) }])
    return { view, isContext: true }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Links lead nowhere here: what they point at is in the context under its own name, or not at all. */
function namesIn(path: string): string[] {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(path) : []
}

function plainView(directory: string): LayerView {
  return new LayerView([{ directory, opaque: new Set() }])
}
