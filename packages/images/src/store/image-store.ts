/**
 * The image store: which images exist, under which names, made of which layers.
 *
 *   images/blobs/      configs, manifests and layer tars by digest        (content/content-store.ts)
 *   images/layers/     unpacked layers, shared by all images              (layers/layer-store.ts)
 *   images/index.json  images, their parents, names and pulled digests    (`Index`)
 *
 * An image is its config: the config's digest is the image id, its `diff_ids` are its layers. Images never change;
 * only names move. An image in the index is complete: its config and all its layers were there when it was entered,
 * and nothing removes a layer while an indexed image has it. One process at a time uses a store.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import { systemClock } from '@dinghy/shared/api/clock'
import { badParameter, DockerError, notFound } from '@dinghy/shared/docker/errors'
import { ContentStore } from '../content/content-store.ts'
import type { ApplyLimits } from '../layers/layer-apply.ts'
import { LayerStore } from '../layers/layer-store.ts'
import { parseImageConfig } from '../content/documents.ts'
import { JsonDocument } from '../content/json-document.ts'
import type { OciImageConfig } from '../content/oci.ts'
import { isHostBase } from '../content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import {
  familiarName,
  familiarRepository,
  fullName,
  InvalidReferenceError,
  isIdPrefix,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from '@dinghy/shared/docker/reference'

export interface Image {
  /** `sha256:…`, the digest of the config. */
  id: string
  config: OciImageConfig
  /** Unpacked layer directories, lowest first, ready to be stacked. */
  layers: string[]
  /** The image stands on this machine's own files. */
  hostBase: boolean
  /** Image that this one was built from, as long as it was built here. */
  parent: string | undefined
  /** `node:20`, as a person types them, sorted. */
  repoTags: string[]
  /** `node@sha256:…`: manifests under which registries know this image. */
  repoDigests: string[]
  /** RFC 3339; the zero time when the config does not say. */
  created: string
  /** When a name last came to this image here, in milliseconds; 0 for never. */
  lastTagged: number
  /** Bytes of file content of all layers; of a host base also those of the program that it stands for. */
  size: number
}

interface IndexedImage {
  parent?: string
  lastTagged?: number
  /** Bytes of this machine's own files that a host base, or what is built on it, stands for. */
  hostBytes?: number
}

export interface Index {
  images: Record<string, IndexedImage>
  /** Full name with tag → image id. */
  tags: Record<string, string>
  /** Full repository@digest → image id. */
  digests: Record<string, string>
}

interface ImageStoreOptions {
  root: string
  clock?: Clock
  limits?: ApplyLimits
}

/** What Docker shows for an image that does not say when it was made. */
const zeroTime = '0001-01-01T00:00:00Z'

export class ImageStore {
  readonly content: ContentStore
  readonly layers: LayerStore
  readonly #index: JsonDocument<Index>
  readonly #clock: Clock

  constructor({ root, clock = systemClock, limits }: ImageStoreOptions) {
    const directory = join(root, 'images')
    // Layers hold set-id programs of images: other users of the machine may pass through, not look around.
    mkdirSync(directory, { recursive: true, mode: 0o711 })
    this.content = new ContentStore(directory)
    this.layers = new LayerStore(directory, this.content, limits && { limits })
    this.#index = new JsonDocument(join(directory, 'index.json'), () => ({ images: {}, tags: {}, digests: {} }))
    this.#clock = clock
  }

  /** The image that a person means: by name, by digest, or by the beginning of its id. 404 when there is none. */
  async resolve(text: string): Promise<Image> {
    const index = await this.#index.read()
    const id = findId(index, text)
    if (id === undefined) throw notFound(`No such image: ${describeMissing(text)}`)
    return this.#load(id, index)
  }

  /** Like resolve, but undefined when there is no such image. */
  async find(text: string): Promise<Image | undefined> {
    const index = await this.#index.read()
    const id = findId(index, text)
    return id === undefined ? undefined : this.#load(id, index)
  }

  async list(): Promise<Image[]> {
    const index = await this.#index.read()
    return Promise.all(Object.keys(index.images).map((id) => this.#load(id, index)))
  }

  /** Ids of the images that were built on top of this one. */
  async children(id: string): Promise<string[]> {
    const { images } = await this.#index.read()
    return Object.keys(images).filter((child) => images[child]?.parent === id)
  }

  /**
   * The id that each of these names has at this moment, and the ids of everything built on it; nothing for no image.
   */
  async familiesOf(names: readonly string[]): Promise<Map<string, { id: string; descendants: Set<string> }>> {
    const index = await this.#index.read()
    const families = names.flatMap((name) => {
      const id = findId(index, name)
      return id === undefined ? [] : [[name, { id, descendants: descendantsOf(id, index.images) }] as const]
    })
    return new Map(families)
  }

  /** Enters an image whose layers are all unpacked. The same config twice is the same image. */
  async create(config: OciImageConfig | Buffer, options: { parent?: string; hostBytes?: number } = {}): Promise<Image> {
    const bytes = Buffer.isBuffer(config) ? config : Buffer.from(JSON.stringify(config))
    const parsed = parseImageConfig(bytes)
    return this.#index.update(async (index) => {
      for (const diffId of parsed.rootfs.diff_ids) {
        if ((await this.layers.get(diffId)) === undefined) {
          throw new DockerError(500, `layer ${diffId} was removed while the image was being made; try again`)
        }
      }
      const { digest } = await this.content.write(bytes)
      const { parent } = options
      const hostBytes = options.hostBytes ?? (parent === undefined ? undefined : index.images[parent]?.hostBytes)
      index.images[digest] ??= {
        ...(parent !== undefined ? { parent } : {}),
        ...(hostBytes !== undefined ? { hostBytes } : {}),
      }
      return this.#load(digest, index)
    })
  }

  /** Points a name at an image. Returns the id of the image that had the name until now, if another one did. */
  async tag(id: string, reference: Reference): Promise<string | undefined> {
    if (reference.digest !== undefined) throw badParameter('refusing to create a tag with a digest reference')
    const name = fullName(withDefaultTag(reference))
    return this.#index.update((index) => {
      const image = index.images[id]
      if (!image) throw notFound(`No such image: ${id}`)
      const previous = index.tags[name]
      index.tags[name] = id
      image.lastTagged = this.#clock.now()
      return previous === id ? undefined : previous
    })
  }

  /** Notes that a registry knows the image as `repository@digest`. */
  async addDigest(id: string, reference: Reference, digest: string): Promise<void> {
    await this.#index.update((index) => {
      index.digests[`${repositoryOf(reference)}@${digest}`] = id
    })
  }

  /** Takes a tag, or a digest, away. Removing what is not there is no error. */
  async untag(reference: Reference): Promise<void> {
    await this.#index.update((index) => {
      if (reference.digest === undefined) delete index.tags[fullName(withDefaultTag(reference))]
      else delete index.digests[`${repositoryOf(reference)}@${reference.digest}`]
    })
  }

  /**
   * Takes the image out of the index, with every name it still has, and removes what no other image shares.
   * `keepLayers` leaves the layers: a container still stands on them, and `sweep` finds them later.
   * Resolves with the diff ids of the layers that went, and their size.
   */
  async remove(id: string, options: { keepLayers?: boolean } = {}): Promise<{ layers: string[]; size: number }> {
    return this.#index.update(async (index) => {
      if (!index.images[id]) return { layers: [], size: 0 }
      const config = await this.#config(id)
      delete index.images[id]
      for (const names of [index.tags, index.digests]) {
        for (const name of Object.keys(names)) if (names[name] === id) delete names[name]
      }
      await this.content.remove(id)
      if (options.keepLayers) return { layers: [], size: 0 }
      const kept = await this.#layersOf(index)
      const layers = config.rootfs.diff_ids.filter((diffId) => !kept.has(diffId))
      return { layers, size: await this.#removeLayers(layers) }
    })
  }

  /**
   * Removes layers that belong to no image and are older than `minAgeMs`: younger ones may be part of a pull or build
   * that has not finished. `inUse` are directories that containers stand on. Returns the bytes that were freed.
   */
  async sweep(inUse: ReadonlySet<string>, minAgeMs: number): Promise<number> {
    return this.#index.update(async (index) => {
      const kept = await this.#layersOf(index)
      let freed = 0
      for (const { layer, unpackedAt } of await this.layers.list()) {
        const isYoung = this.#clock.now() - unpackedAt.getTime() < minAgeMs
        if (isYoung || kept.has(layer.diffId) || inUse.has(this.layers.directory(layer.diffId))) continue
        freed += await this.#removeLayers([layer.diffId])
      }
      return freed
    })
  }

  async #removeLayers(diffIds: string[]): Promise<number> {
    let freed = 0
    for (const diffId of diffIds) {
      const layer = await this.layers.get(diffId)
      if (!layer) continue
      await this.layers.remove(diffId)
      await this.content.remove(layer.blob.digest)
      if (layer.compressed) await this.content.remove(layer.compressed.digest)
      freed += layer.size
    }
    return freed
  }

  async #layersOf(index: Index): Promise<Set<string>> {
    const configs = await Promise.all(Object.keys(index.images).map((id) => this.#config(id)))
    return new Set(configs.flatMap((config) => config.rootfs.diff_ids))
  }

  async #config(id: string): Promise<OciImageConfig> {
    return parseImageConfig(await this.content.read(id))
  }

  async #load(id: string, index: Index): Promise<Image> {
    const config = await this.#config(id)
    const layers = await Promise.all(
      config.rootfs.diff_ids.map(async (diffId) => {
        const layer = await this.layers.get(diffId)
        if (!layer) throw new DockerError(500, `layer ${diffId} of image ${id} is missing from the store`)
        return layer
      }),
    )
    return {
      id,
      config,
      layers: config.rootfs.diff_ids.map((diffId) => this.layers.directory(diffId)),
      hostBase: isHostBase(config),
      parent: index.images[id]?.parent,
      repoTags: namesOf(index.tags, id).map((name) => familiarName(parseReference(name))),
      repoDigests: namesOf(index.digests, id).map((name) => familiarName(parseReference(name))),
      created: config.created ?? zeroTime,
      lastTagged: index.images[id]?.lastTagged ?? 0,
      size: layers.reduce((sum, layer) => sum + layer.size, index.images[id]?.hostBytes ?? 0),
    }
  }
}

function namesOf(names: Record<string, string>, id: string): string[] {
  return Object.keys(names)
    .filter((name) => names[name] === id)
    .sort()
}

/** The image itself included. */
function descendantsOf(id: string, images: Index['images']): Set<string> {
  const found = new Set([id])
  for (let size = 0; size < found.size;) {
    size = found.size
    for (const [child, { parent }] of Object.entries(images)) if (parent && found.has(parent)) found.add(child)
  }
  return found
}

/** Docker's order: a whole id, a name, then the beginning of an id. */
function findId(index: Index, text: string): string | undefined {
  if (index.images[text]) return text
  if (index.images[`sha256:${text}`]) return `sha256:${text}`
  const reference = parseName(text)
  if (reference) {
    const { digest } = reference
    const byDigest = digest === undefined ? undefined : index.digests[`${repositoryOf(reference)}@${digest}`]
    const byName = digest === undefined ? index.tags[fullName(withDefaultTag(reference))] : byDigest
    if (byName !== undefined) return byName
  }
  if (!isIdPrefix(text)) return undefined
  const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`
  const matches = Object.keys(index.images).filter((id) => id.startsWith(prefix))
  // An ambiguous prefix names nothing, as in Docker.
  return matches.length === 1 ? matches[0] : undefined
}

function parseName(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    // An id is no valid name; anything that is neither is reported by the caller as an image that does not exist.
    if (error instanceof InvalidReferenceError) return undefined
    throw error
  }
}

function describeMissing(text: string): string {
  const reference = parseName(text)
  if (!reference) return text
  return reference.digest === undefined
    ? familiarName(withDefaultTag(reference))
    : `${familiarRepository(reference)}@${reference.digest}`
}
