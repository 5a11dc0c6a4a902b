/**
 * docker pull: manifest, config, then the missing layers, three at a time.
 *
 * Nothing is trusted: every byte is checked against the digest that led to it, from the manifest (if pulled by
 * digest) down to the unpacked layers. A download that breaks off is continued where it stopped. The image is entered
 * into the store when everything is there, so a pull that fails leaves only unused content behind.
 */
import { setMaxListeners } from 'node:events'
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { DigestMismatchError, digestOf } from '../content/content-store.ts'
import type { Image, ImageStore } from '../store/image-store.ts'
import { parseImageConfig, parseManifest } from '../content/documents.ts'
import type { Descriptor, Manifest, ManifestIndex, Platform } from '../content/oci.ts'
import { hostPlatform, isIndex } from '../content/oci.ts'
import { readAll } from './web-request.ts'
import { RegistryClient } from './registry-client.ts'
import { describePullError, RegistryError } from './registry-error.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import { familiarName, familiarRepository } from '@dinghy/shared/docker/reference'
import type { Credentials } from './credentials.ts'
import { choosePlatform, platformName } from './platform.ts'
import { ProgressMeter } from './progress-meter.ts'
import type { OnProgress } from './progress.ts'

interface PullOptions {
  platform?: Platform | undefined
  credentials?: Credentials | undefined
}

const parallelDownloads = 3
const downloadAttempts = 5
const maxConfigBytes = 8 * 2 ** 20
/** Someone without a network should not have to wait long to learn it. */
const firstAnswerTimeoutMs = 15_000

export async function pullImage(
  images: ImageStore,
  reference: Reference,
  options: PullOptions,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<Image> {
  // Every request, download and layer listens.
  if (signal) setMaxListeners(0, signal)
  const client = new RegistryClient(reference, {
    credentials: options.credentials,
    actions: 'pull',
    timeoutMs: firstAnswerTimeoutMs,
  })
  try {
    return await new Pull(images, client, reference, options, onProgress, signal).run()
  } catch (error) {
    throw describePullError(error, reference)
  }
}

/** The tags that the registry has for the reference's repository. */
export async function remoteTags(
  reference: Reference,
  { credentials }: PullOptions,
  signal?: AbortSignal,
): Promise<string[]> {
  const client = new RegistryClient(reference, { credentials, actions: 'pull', timeoutMs: firstAnswerTimeoutMs })
  try {
    return await client.tags(signal)
  } catch (error) {
    throw describePullError(error, reference)
  }
}

class Pull {
  readonly #images: ImageStore
  readonly #client: RegistryClient
  readonly #reference: Reference
  readonly #options: PullOptions
  readonly #onProgress: OnProgress
  readonly #signal: AbortSignal | undefined

  constructor(
    images: ImageStore,
    client: RegistryClient,
    reference: Reference,
    options: PullOptions,
    onProgress: OnProgress,
    signal: AbortSignal | undefined,
  ) {
    this.#images = images
    this.#client = client
    this.#reference = reference
    this.#options = options
    this.#onProgress = onProgress
    this.#signal = signal
  }

  async run(): Promise<Image> {
    const reference = this.#reference
    const wanted = reference.digest ?? reference.tag ?? 'latest'
    const top = await this.#document(wanted)
    const manifest = isIndex(top.document) ? await this.#platformManifest(top.document) : top.document
    this.#onProgress({ status: `Pulling from ${familiarRepository(reference)}`, id: wanted })
    const before = await this.#images.find(familiarName(reference))

    const config = await this.#config(manifest.config)
    const diffIds = parseImageConfig(config).rootfs.diff_ids
    if (diffIds.length !== manifest.layers.length) {
      throw new RegistryError(500, '', 'layer count of the manifest and of the config differ')
    }
    await this.#layers(manifest.layers, diffIds)

    const image = await this.#images.create(config)
    await this.#images.addDigest(image.id, reference, top.digest)
    if (reference.tag !== undefined && reference.digest === undefined) await this.#images.tag(image.id, reference)
    this.#onProgress({ status: `Digest: ${top.digest}` })
    const isNew = before?.id !== image.id
    const verb = isNew ? 'Downloaded newer image' : 'Image is up to date'
    this.#onProgress({ status: `Status: ${verb} for ${familiarName(reference)}` })
    return this.#images.resolve(image.id)
  }

  async #document(tagOrDigest: string): Promise<{ document: Manifest | ManifestIndex; digest: string }> {
    const { bytes } = await this.#client.manifest(tagOrDigest, this.#signal)
    const digest = digestOf(bytes)
    if (tagOrDigest.startsWith('sha256:') && digest !== tagOrDigest) {
      throw new DigestMismatchError(`manifest verification failed for digest ${tagOrDigest}`)
    }
    return { document: parseManifest(bytes), digest }
  }

  async #platformManifest(index: ManifestIndex): Promise<Manifest> {
    const wanted = this.#options.platform ?? hostPlatform()
    const chosen = choosePlatform(index.manifests, wanted)
    if (!chosen) {
      throw new RegistryError(404, '', `no matching manifest for ${platformName(wanted)} in the manifest list entries`)
    }
    const { document } = await this.#document(chosen.digest)
    if (isIndex(document)) throw new RegistryError(500, '', 'a manifest list within a manifest list is not supported')
    return document
  }

  async #config({ digest, size }: Descriptor): Promise<Buffer> {
    if (await this.#images.content.has(digest)) return this.#images.content.read(digest)
    const { body } = await this.#client.blob(digest, 0, this.#signal)
    const bytes = await readAll(body, Math.min(size, maxConfigBytes))
    if (digestOf(bytes) !== digest)
      throw new DigestMismatchError(`image config verification failed for digest ${digest}`)
    return bytes
  }

  async #layers(blobs: readonly Descriptor[], diffIds: readonly string[]): Promise<void> {
    const shortIds = blobs.map(({ digest }) => digest.slice('sha256:'.length, 'sha256:'.length + 12))
    const pending: number[] = []
    for (const [index, diffId] of diffIds.entries()) {
      if (await this.#images.layers.get(diffId))
        this.#onProgress({ status: 'Already exists', progressDetail: {}, id: shortIds[index] ?? '' })
      else {
        this.#onProgress({ status: 'Pulling fs layer', progressDetail: {}, id: shortIds[index] ?? '' })
        pending.push(index)
      }
    }
    const worker = async (): Promise<void> => {
      for (let index = pending.shift(); index !== undefined; index = pending.shift()) {
        const [blob, diffId, id] = [blobs[index], diffIds[index], shortIds[index] ?? '']
        if (!blob || diffId === undefined) continue
        await this.#download(blob, id)
        this.#onProgress({ status: 'Extracting', progressDetail: { current: blob.size, total: blob.size }, id })
        await this.#images.layers.unpack(blob, diffId, this.#signal)
        this.#onProgress({ status: 'Pull complete', progressDetail: {}, id })
      }
    }
    await Promise.all(Array.from({ length: parallelDownloads }, worker))
  }

  async #download({ digest, size }: Descriptor, id: string): Promise<void> {
    const { content } = this.#images
    if (await content.has(digest)) return
    const partial = content.temporaryPath()
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          await this.#downloadInto(partial, digest, size, id)
          break
        } catch (error) {
          if (attempt >= downloadAttempts || error instanceof RegistryError || this.#signal?.aborted) throw error
          this.#onProgress({ status: `Retrying (${attempt}/${downloadAttempts - 1})`, progressDetail: {}, id })
        }
      }
      this.#onProgress({ status: 'Verifying Checksum', progressDetail: {}, id })
      await content.writeStream(createReadStream(partial), { digest }, this.#signal)
      this.#onProgress({ status: 'Download complete', progressDetail: {}, id })
    } finally {
      await rm(partial, { force: true })
    }
  }

  async #downloadInto(path: string, digest: string, size: number, id: string): Promise<void> {
    const have = await stat(path).then(
      (found) => found.size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return 0
        throw error
      },
    )
    if (have >= size && size > 0) return
    const { body, offset } = await this.#client.blob(digest, have, this.#signal)
    const meter = new ProgressMeter(offset, size, (current) =>
      this.#onProgress({ status: 'Downloading', progressDetail: { current, total: size }, id }),
    )
    const file = openSync(path, offset > 0 ? 'a' : 'w')
    try {
      // Written as it comes, so that a connection that breaks takes nothing with it that had arrived.
      for await (const chunk of body as AsyncIterable<Buffer>) {
        this.#signal?.throwIfAborted()
        meter.count(chunk.length)
        writeSync(file, chunk)
      }
    } finally {
      closeSync(file)
    }
  }
}
