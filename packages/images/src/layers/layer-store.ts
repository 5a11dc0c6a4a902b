/**
 * Unpacked layers: each one a directory, named by its diff id and shared by all images that have it.
 *
 *   layers/<first half of the diff id>/fs/          the files, whiteouts as whiteout.ts says
 *   layers/<first half of the diff id>/layer.json   the rest of what is known about it (`Layer`)
 *
 * Unpacking goes to a temporary directory that is renamed into place, so a layer that exists is complete, and two
 * processes that unpack the same one do not meet. Half of the digest (128 bits) keeps overlayfs' option string, whose
 * length the kernel limits to one page, short enough for images of thirty and more layers.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { decompressed } from '../files/compression.ts'
import type { ContentStore } from '../content/content-store.ts'
import { DigestMeter, hexOf } from '../content/content-store.ts'
import { applyLayer } from './layer-apply.ts'
import type { ApplyLimits } from './layer-apply.ts'
import type { ViewLayer } from './layer-view.ts'
import type { Descriptor } from '../content/oci.ts'
import { mediaTypes } from '../content/oci.ts'
import { defaultWhiteoutStyle, WhiteoutDevices } from './whiteout.ts'

export interface Layer {
  /** Digest of the uncompressed tar. */
  diffId: string
  /** Bytes of file content. */
  size: number
  opaque: string[]
  /** The tar as it came (pulled: mostly gzip) or was made here (plain), in the content store. */
  blob: Descriptor
  /** The plain tar of a layer made here as it was pushed: the same bytes must go to every registry. */
  compressed?: Descriptor
}

interface LayerStoreOptions {
  limits?: ApplyLimits
}

export class LayerStore {
  readonly #content: ContentStore
  readonly #directory: string
  readonly #whiteouts: WhiteoutDevices | undefined
  readonly #limits: ApplyLimits | undefined

  constructor(root: string, content: ContentStore, options: LayerStoreOptions = {}) {
    this.#content = content
    this.#directory = join(root, 'layers')
    mkdirSync(this.#directory, { recursive: true })
    if (defaultWhiteoutStyle() === 'overlay') this.#whiteouts = new WhiteoutDevices(join(root, 'whiteout'))
    this.#limits = options.limits
  }

  /** The directory that a driver stacks. */
  directory(diffId: string): string {
    return join(this.#path(diffId), 'fs')
  }

  async get(diffId: string): Promise<Layer | undefined> {
    try {
      const layer = JSON.parse(readFileSync(join(this.#path(diffId), 'layer.json'), 'utf8')) as Layer
      if (layer.diffId !== diffId) throw new Error(`layer directory of ${diffId} holds ${layer.diffId}`)
      return layer
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Unpacks a blob of the content store, checking that it is the layer the image speaks of. */
  async unpack(blob: Descriptor, diffId: string, signal?: AbortSignal): Promise<Layer> {
    return (await this.get(diffId)) ?? this.#unpack(blob, diffId, signal)
  }

  /** Takes in a tar that was made here: its bytes become a blob, its digest the diff id. */
  async add(tar: Readable, signal?: AbortSignal): Promise<Layer> {
    const { digest, size } = await this.#content.writeStream(tar, {}, signal)
    return this.unpack({ mediaType: mediaTypes.layer, digest, size }, digest, signal)
  }

  /** The layer in the form that registries keep: as it was pulled, or a plain tar with gzip around it. */
  async compressed(layer: Layer, signal?: AbortSignal): Promise<Descriptor> {
    if (layer.compressed) return layer.compressed
    if (layer.blob.mediaType !== mediaTypes.layer && layer.blob.mediaType !== mediaTypes.dockerLayer) return layer.blob
    const gzip = createGzip()
    pipeline(this.#content.stream(layer.blob.digest), gzip, { signal }).catch((error: unknown) => {
      gzip.destroy(error instanceof Error ? error : new Error(String(error)))
    })
    const compressed = { mediaType: mediaTypes.layerGzip, ...(await this.#content.writeStream(gzip, {}, signal)) }
    const path = join(this.#path(layer.diffId), 'layer.json')
    const temporary = this.#content.temporaryPath()
    await writeFile(temporary, `${JSON.stringify({ ...layer, compressed })}\n`)
    await rename(temporary, path)
    return compressed
  }

  /** Removes the directory; the blob stays. */
  async remove(diffId: string): Promise<void> {
    // Renamed away first: a half-removed layer must not look like a whole one.
    const doomed = this.#content.temporaryPath()
    try {
      await rename(this.#path(diffId), doomed)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await rm(doomed, { recursive: true, force: true })
  }

  /** All layers, with the time at which each was unpacked. */
  async list(): Promise<{ layer: Layer; unpackedAt: Date }[]> {
    const found = await Promise.all(
      (await readdir(this.#directory)).map(async (name) => {
        const path = join(this.#directory, name, 'layer.json')
        return { layer: JSON.parse(await readFile(path, 'utf8')) as Layer, unpackedAt: (await stat(path)).mtime }
      }),
    )
    return found
  }

  async #unpack(blob: Descriptor, diffId: string, signal?: AbortSignal): Promise<Layer> {
    const temporary = this.#content.temporaryPath()
    try {
      // Containers of other users walk through here to their files; the directory itself is the image's root.
      await mkdir(join(temporary, 'fs'), { recursive: true, mode: 0o755 })
      const { stream } = await decompressed(this.#content.stream(blob.digest), signal)
      const meter = new DigestMeter()
      const tar = new PassThrough()
      // An error anywhere in the chain destroys all of it; whoever reads `tar` is the one to report it.
      pipeline(stream, meter, tar).catch(() => undefined)
      const applied = await applyLayer(
        tar,
        join(temporary, 'fs'),
        {
          privileged: this.#whiteouts !== undefined,
          ...(this.#whiteouts ? { whiteouts: this.#whiteouts } : {}),
          ...(this.#limits ? { limits: this.#limits } : {}),
        },
        signal,
      )
      const { digest } = meter.result()
      if (digest !== diffId) throw new Error(`wrong diff id calculated on extraction: ${digest}, wanted ${diffId}`)
      const layer: Layer = { diffId, ...applied, blob }
      await writeFile(join(temporary, 'layer.json'), `${JSON.stringify(layer)}\n`)
      await this.#moveIntoPlace(temporary, diffId)
      return layer
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }

  async #moveIntoPlace(temporary: string, diffId: string): Promise<void> {
    try {
      await rename(temporary, this.#path(diffId))
    } catch (error) {
      // Another process, or another pull in this one, was faster with the same content.
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
    }
  }

  #path(diffId: string): string {
    return join(this.#directory, hexOf(diffId).slice(0, 32))
  }
}

/** The unpacked layer at `directory` as a part of a LayerView. */
export function viewLayer(directory: string): ViewLayer {
  const { opaque } = JSON.parse(readFileSync(join(directory, '..', 'layer.json'), 'utf8')) as Layer
  return { directory, opaque: new Set(opaque) }
}
