/**
 * docker push: the layers a registry does not have yet, the config, and a manifest that names them.
 *
 * Layers that were built here are compressed on their first push and keep that form, so pushing again sends nothing
 * and changes no digest. An upload that breaks off is continued from what the registry says it has.
 */
import { setMaxListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { PassThrough } from 'node:stream'
import { DockerError } from '@dinghy/shared/docker/errors'
import { digestOf } from '../content/content-store.ts'
import type { Image, ImageStore } from '../store/image-store.ts'
import type { Layer } from '../layers/layer-store.ts'
import type { Descriptor, Manifest } from '../content/oci.ts'
import { mediaTypes } from '../content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import { parseReference, repositoryOf } from '@dinghy/shared/docker/reference'
import type { Credentials } from './credentials.ts'
import { ProgressMeter } from './progress-meter.ts'
import { RegistryClient } from './registry-client.ts'
import { RegistryError } from './registry-error.ts'
import type { OnProgress } from './progress.ts'

const uploadAttempts = 5
const parallelUploads = 3

/** `reference` has a tag. Resolves with the manifest's digest, which is also entered as a name of the image. */
export async function pushImage(
  images: ImageStore,
  image: Image,
  reference: Reference,
  credentials: Credentials | undefined,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string> {
  // Every request and upload listens.
  if (signal) setMaxListeners(0, signal)
  const client = new RegistryClient(reference, { credentials, actions: 'pull,push' })
  onProgress({ status: `The push refers to repository [${repositoryOf(reference)}]` })
  try {
    const push = new Push(images, client, image, reference, onProgress, signal)
    return await push.run()
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    throw new DockerError(error.status >= 500 ? 500 : error.status, error.message, { cause: error })
  }
}

class Push {
  readonly #images: ImageStore
  readonly #client: RegistryClient
  readonly #image: Image
  readonly #reference: Reference
  readonly #onProgress: OnProgress
  readonly #signal: AbortSignal | undefined

  constructor(
    images: ImageStore,
    client: RegistryClient,
    image: Image,
    reference: Reference,
    onProgress: OnProgress,
    signal: AbortSignal | undefined,
  ) {
    this.#images = images
    this.#client = client
    this.#image = image
    this.#reference = reference
    this.#onProgress = onProgress
    this.#signal = signal
  }

  async run(): Promise<string> {
    const { diff_ids: diffIds } = this.#image.config.rootfs
    const layers: Descriptor[] = []
    // Topmost first, as Docker shows them.
    for (const diffId of [...diffIds].reverse())
      this.#onProgress({ status: 'Preparing', progressDetail: {}, id: shortId(diffId) })
    const pending = [...diffIds.entries()]
    const worker = async (): Promise<void> => {
      for (let next = pending.shift(); next; next = pending.shift()) layers[next[0]] = await this.#pushLayer(next[1])
    }
    await Promise.all(Array.from({ length: parallelUploads }, worker))

    const size = (await this.#images.content.size(this.#image.id)) ?? 0
    const isDocker = layers.every(({ mediaType }) => mediaType === mediaTypes.dockerLayerGzip)
    const config = { mediaType: isDocker ? mediaTypes.dockerConfig : mediaTypes.config, digest: this.#image.id, size }
    if (!(await this.#client.hasBlob(config.digest, this.#signal))) await this.#upload(config, () => undefined)
    return this.#pushManifest({
      schemaVersion: 2,
      mediaType: isDocker ? mediaTypes.dockerManifest : mediaTypes.manifest,
      config,
      layers,
    })
  }

  async #pushManifest(manifest: Manifest & { mediaType: string }): Promise<string> {
    const bytes = Buffer.from(JSON.stringify(manifest, undefined, 3))
    const digest = digestOf(bytes)
    const tag = this.#reference.tag ?? 'latest'
    await this.#client.putManifest(tag, bytes, manifest.mediaType, this.#signal)
    await this.#images.addDigest(this.#image.id, this.#reference, digest)
    this.#onProgress({ status: `${tag}: digest: ${digest} size: ${bytes.length}` })
    this.#onProgress({ aux: { Tag: tag, Digest: digest, Size: bytes.length }, progressDetail: {} })
    return digest
  }

  async #pushLayer(diffId: string): Promise<Descriptor> {
    const layer = await this.#images.layers.get(diffId)
    if (!layer) throw new Error(`layer ${diffId} is missing from the store`)
    const id = shortId(diffId)
    const blob = await this.#images.layers.compressed(layer, this.#signal)
    const descriptor = { mediaType: dockerLayerType(blob), digest: blob.digest, size: blob.size }
    if (await this.#client.hasBlob(blob.digest, this.#signal)) {
      this.#onProgress({ status: 'Layer already exists', progressDetail: {}, id })
      return descriptor
    }
    const mountFrom = this.#mountSource()
    if (mountFrom !== undefined) {
      const started = await this.#client.startUpload({ digest: blob.digest, mountFrom }, this.#signal)
      if (started === 'mounted') {
        this.#onProgress({ status: `Mounted from ${mountFrom}`, progressDetail: {}, id })
        return descriptor
      }
    }
    await this.#upload(descriptor, (current) =>
      this.#onProgress({ status: 'Pushing', progressDetail: { current, total: blob.size }, id }),
    )
    this.#onProgress({ status: 'Pushed', progressDetail: {}, id })
    return descriptor
  }

  /** Another repository of the same registry that this image came from, or went to, may have its layers. */
  #mountSource(): string | undefined {
    const others = this.#image.repoDigests.map(parseReference)
    return others.find(({ domain, path }) => domain === this.#reference.domain && path !== this.#reference.path)?.path
  }

  async #upload({ digest, size }: Descriptor, report: (current: number) => void): Promise<void> {
    const started = await this.#client.startUpload({}, this.#signal)
    if (started === 'mounted') return
    let { location } = started
    let offset = 0
    for (let attempt = 1; offset < size; attempt++) {
      try {
        location = await this.#sendFrom(offset, { digest, size }, location, report)
        offset = size
      } catch (error) {
        if (attempt >= uploadAttempts || error instanceof RegistryError || this.#signal?.aborted) throw error
        const status = await this.#client.uploadStatus(location, this.#signal)
        location = status.location
        offset = status.received
      }
    }
    await this.#client.finishUpload(location, digest, this.#signal)
  }

  async #sendFrom(
    offset: number,
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    location: string,
    report: (current: number) => void,
  ): Promise<string> {
    const body = new PassThrough()
    const file = createReadStream(this.#images.content.path(digest), { start: offset })
    // The request reports the failure; when it ends early the pipeline has nothing more to say.
    pipeline(file, new ProgressMeter(offset, size, report), body, { signal: this.#signal }).catch(() => undefined)
    try {
      return await this.#client.uploadChunk(location, body, offset, size, this.#signal)
    } finally {
      body.destroy()
      file.destroy()
    }
  }
}

function dockerLayerType({ mediaType }: Layer['blob']): string {
  return mediaType === mediaTypes.layerGzip ? mediaTypes.dockerLayerGzip : mediaType
}

function shortId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12)
}
