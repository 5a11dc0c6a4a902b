/**
 * Where images come from: the local store, then the image's registry, then (when no registry answers) a host base made
 * of this machine's own programs. The caller sees an Image, and progress messages in Docker's shape on the way.
 */
import type { Logger } from '@dinghy/shared/process/logger'
import { notFound } from '@dinghy/shared/docker/errors'
import { hostBaseFor, hostBaseWarning, hostFilesTar, withFiles } from './store/host-base.ts'
import type { HostBase } from './store/host-base.ts'
import type { Machine } from './store/machine.ts'
import { UnreachableError } from './distribution/web-request.ts'
import type { Image, ImageStore } from './store/image-store.ts'
import type { OciImageConfig, Platform } from './content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import { familiarName, parseReference, withDefaultTag } from '@dinghy/shared/docker/reference'
import type { Credentials } from './distribution/credentials.ts'
import { platformName, runsOn } from './distribution/platform.ts'
import type { OnProgress } from './distribution/progress.ts'
import { pullImage, remoteTags } from './distribution/pull.ts'

/**
 * When well-known bases are made from this machine's files: 'fallback', when their registry cannot be reached;
 * 'prefer', before asking it, for a driver that cannot run foreign root file systems anyway; or 'never'.
 */
type HostBasePolicy = 'fallback' | 'prefer' | 'never'

export interface EnsureOptions {
  /** Ask the registry even if there is a local image. */
  alwaysPull?: boolean
  platform?: Platform | undefined
  /** Credentials for a registry host. */
  credentials?: (domain: string) => Credentials | undefined
}

interface ImageSourceOptions {
  images: ImageStore
  machine: Machine
  log: Pick<Logger, 'warn'>
  hostBases?: HostBasePolicy
}

export class ImageSource {
  readonly #images: ImageStore
  readonly #machine: Machine
  readonly #log: Pick<Logger, 'warn'>
  readonly #hostBases: HostBasePolicy

  constructor({ images, machine, log, hostBases = 'fallback' }: ImageSourceOptions) {
    this.#images = images
    this.#machine = machine
    this.#log = log
    this.#hostBases = hostBases
  }

  /** The image of that name, from wherever it can be had. Throws a DockerError with Docker's message. */
  async ensure(name: string, options: EnsureOptions, onProgress: OnProgress, signal?: AbortSignal): Promise<Image> {
    const found = options.alwaysPull ? undefined : await this.#images.find(name)
    const { platform } = options
    const local = found && platform && !runsOn(found.config, platform) ? undefined : found
    return local ?? this.pull(parseReference(name), options, onProgress, signal)
  }

  /** From the registry even if it is here already. */
  async pull(named: Reference, options: EnsureOptions, onProgress: OnProgress, signal?: AbortSignal): Promise<Image> {
    const reference = withDefaultTag(named)
    if (this.#hostBases === 'prefer') {
      const local = await this.#images.find(familiarName(reference))
      // A real image that was loaded or built here is better than any stand-in.
      const image = local && !local.hostBase ? local : await this.#standIn(reference, options, 'preferred', onProgress)
      if (image) return image
    }
    try {
      const credentials = options.credentials?.(reference.domain)
      return await pullImage(this.#images, reference, { platform: options.platform, credentials }, onProgress, signal)
    } catch (error) {
      if (!(error instanceof UnreachableError) || this.#hostBases === 'never') throw error
      const local = await this.#images.find(familiarName(reference))
      // The name already means a real image: a stand-in must not take it away.
      const image =
        local && !local.hostBase ? undefined : await this.#standIn(reference, options, 'unreachable', onProgress)
      if (image) return image
      throw error
    }
  }

  /** Every tag of the repository; where no registry answers, what stands in for the usual one. */
  async pullAll(
    repository: Reference,
    options: EnsureOptions,
    onProgress: OnProgress,
    signal?: AbortSignal,
  ): Promise<void> {
    const credentials = options.credentials?.(repository.domain)
    const tags =
      this.#hostBases === 'prefer'
        ? ['latest']
        : await remoteTags(repository, { credentials }, signal).catch((error: unknown) => {
            if (error instanceof UnreachableError) return ['latest']
            throw error
          })
    for (const tag of tags) await this.pull({ ...repository, tag }, options, onProgress, signal)
  }

  async #completed({ config, files }: HostBase): Promise<OciImageConfig> {
    if (Object.keys(files).length === 0) return config
    const { diffId } = await this.#images.layers.add(hostFilesTar(files, new Date(config.created ?? 0)))
    return withFiles(config, diffId)
  }

  async #standIn(
    reference: Reference,
    { platform }: EnsureOptions,
    why: 'unreachable' | 'preferred',
    onProgress: OnProgress,
  ): Promise<Image | undefined> {
    const base = hostBaseFor(reference, this.#machine)
    if (!base) return undefined
    if (platform && !runsOn(base.config, platform)) {
      throw notFound(`no matching manifest for ${platformName(platform)} in the manifest list entries`)
    }
    const { id } = await this.#images.create(await this.#completed(base), { hostBytes: base.bytes })
    await this.#images.tag(id, reference)
    const warning = hostBaseWarning(reference, base, why)
    this.#log.warn({ image: familiarName(reference) }, warning)
    onProgress({ status: warning })
    onProgress({ status: `Status: Using a host base for ${familiarName(reference)}` })
    return this.#images.resolve(id)
  }
}
