/**
 * docker save and docker load: images as one tar.
 *
 * Written is what Docker writes today, an OCI image layout that also carries Docker's own `manifest.json`, so that old
 * and new tools read it. Read are both, each on its own. Names in the tar are a stranger's: the tar is unpacked into a
 * directory of its own and looked at through a view that nothing leads out of.
 */
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { badParameter } from '@dinghy/shared/docker/errors'
import { decompressed } from '../files/compression.ts'
import { digestOf, hexOf } from '../content/content-store.ts'
import type { Image, ImageStore } from './image-store.ts'
import { applyLayer } from '../layers/layer-apply.ts'
import type { Layer } from '../layers/layer-store.ts'
import { LayerView } from '../layers/layer-view.ts'
import type { DockerManifest } from '../content/documents.ts'
import { parseDockerManifests, parseImageConfig, parseManifest } from '../content/documents.ts'
import type { Descriptor, Manifest, ManifestIndex } from '../content/oci.ts'
import { isIndex, mediaTypes } from '../content/oci.ts'
import type { Reference } from '@dinghy/shared/docker/reference'
import {
  familiarName,
  fullName,
  InvalidReferenceError,
  parseReference,
  repositoryOf,
} from '@dinghy/shared/docker/reference'
import type { TarWriter } from '../files/tar.ts'
import { tarStream } from '../files/tar.ts'

/** An image to save, with the names that go along. */
interface SavedImage {
  image: Image
  tags: string[]
}

const refName = 'org.opencontainers.image.ref.name'
const imageName = 'io.containerd.image.name'

export function saveImages(store: ImageStore, saved: readonly SavedImage[], signal?: AbortSignal): Readable {
  return tarStream(async (archive) => {
    const writer = new ArchiveWriter(archive)
    const manifests: Descriptor[] = []
    const docker: DockerManifest[] = []
    const repositories: Record<string, Record<string, string>> = {}
    for (const { image, tags } of saved) {
      const layers = await Promise.all(image.config.rootfs.diff_ids.map((diffId) => layerOf(store, diffId)))
      for (const { blob } of layers) await writer.addBlob(blob.digest, blob.size, store.content.stream(blob.digest))
      const config = await store.content.read(image.id)
      await writer.addBlob(image.id, config.length, config)
      const manifest: Manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: image.id, size: config.length },
        layers: layers.map(({ blob }) => ({ ...blob, mediaType: ociLayerType(blob.mediaType) })),
      }
      const bytes = Buffer.from(JSON.stringify(manifest))
      const digest = digestOf(bytes)
      await writer.addBlob(digest, bytes.length, bytes)
      const descriptor = { mediaType: mediaTypes.manifest, digest, size: bytes.length }
      for (const tag of tags) {
        const reference = parseReference(tag)
        const name = reference.tag ?? 'latest'
        manifests.push({ ...descriptor, annotations: { [imageName]: fullName(reference), [refName]: name } })
        const repository = familiarName({ domain: reference.domain, path: reference.path })
        repositories[repository] = { ...repositories[repository], [name]: hexOf(image.id) }
      }
      if (tags.length === 0) manifests.push(descriptor)
      docker.push({
        Config: blobPath(image.id),
        RepoTags: tags.length > 0 ? tags : null,
        Layers: layers.map(({ blob }) => blobPath(blob.digest)),
      })
    }
    await writer.addJson('index.json', { schemaVersion: 2, mediaType: mediaTypes.index, manifests })
    await writer.addJson('manifest.json', docker)
    await writer.addJson('oci-layout', { imageLayoutVersion: '1.0.0' })
    await writer.addJson('repositories', repositories)
  }, signal)
}

export interface Loaded {
  id: string
  /** A line for people, as `docker load` shows it. */
  text: string
}

/** Enters all images of the tar. Resolves with something for each name, and for each image that has none. */
export async function loadImages(store: ImageStore, tar: Readable, signal?: AbortSignal): Promise<Loaded[]> {
  const directory = store.content.temporaryPath()
  try {
    mkdirSync(directory)
    const { stream } = await decompressed(tar, signal)
    await applyLayer(stream, directory, { privileged: false, isPlainArchive: true }, signal)
    const archive = new LoadedArchive(store, new LayerView([{ directory, opaque: new Set() }]), signal)
    return await archive.load()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

class ArchiveWriter {
  readonly #archive: TarWriter
  readonly #modifiedAt = new Date(0)
  readonly #written = new Set<string>()

  constructor(archive: TarWriter) {
    this.#archive = archive
  }

  async addBlob(digest: string, size: number, content: Buffer | Readable): Promise<void> {
    await this.#addDirectory('blobs/')
    await this.#addDirectory('blobs/sha256/')
    if (this.#written.has(digest)) {
      if (!Buffer.isBuffer(content)) content.destroy()
      return
    }
    this.#written.add(digest)
    await this.#addFile(blobPath(digest), size, content)
  }

  async addJson(name: string, content: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(content))
    await this.#addFile(name, bytes.length, bytes)
  }

  async #addDirectory(name: string): Promise<void> {
    if (this.#written.has(name)) return
    this.#written.add(name)
    await this.#archive.add({ name, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: this.#modifiedAt })
  }

  async #addFile(name: string, size: number, content: Buffer | Readable): Promise<void> {
    await this.#archive.add({ name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: this.#modifiedAt }, content)
  }
}

class LoadedArchive {
  readonly #store: ImageStore
  readonly #view: LayerView
  readonly #signal: AbortSignal | undefined

  constructor(store: ImageStore, view: LayerView, signal: AbortSignal | undefined) {
    this.#store = store
    this.#view = view
    this.#signal = signal
  }

  async load(): Promise<Loaded[]> {
    const docker = this.#view.readFile('/manifest.json')
    if (docker) {
      const loaded: Loaded[] = []
      for (const { Config, Layers, RepoTags } of parseDockerManifests(docker)) {
        loaded.push(...(await this.#enter(this.#read(Config), Layers, RepoTags ?? [])))
      }
      return loaded
    }
    const index = this.#view.readFile('/index.json')
    if (!index) throw badParameter('invalid archive: does not contain a manifest.json file')
    const document = parseManifest(index)
    if (!isIndex(document)) throw badParameter('invalid archive: index.json is no list of manifests')
    return this.#loadIndex(document)
  }

  /** `outer` are the lists that led here: one that holds itself would never end. */
  async #loadIndex(index: ManifestIndex, outer: readonly string[] = []): Promise<Loaded[]> {
    const loaded: Loaded[] = []
    for (const { digest, annotations } of index.manifests) {
      if (outer.includes(digest)) throw badParameter(`invalid archive: ${digest} holds itself`)
      const document = parseManifest(this.#read(blobPath(digest)))
      if (isIndex(document)) {
        loaded.push(...(await this.#loadIndex(document, [...outer, digest])))
        continue
      }
      const name = annotations?.[imageName]
      const layers = document.layers.map((layer) => blobPath(layer.digest))
      const tags = typeof name === 'string' ? [name] : []
      loaded.push(...(await this.#enter(this.#read(blobPath(document.config.digest)), layers, tags)))
    }
    return loaded
  }

  async #enter(config: Buffer, layers: readonly string[], tags: readonly string[]): Promise<Loaded[]> {
    const { diff_ids: diffIds } = parseImageConfig(config).rootfs
    const references = tags.map(parseName)
    if (diffIds.length !== layers.length) {
      throw badParameter(`invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${layers.length}`)
    }
    for (const [index, diffId] of diffIds.entries()) {
      if (await this.#store.layers.get(diffId)) continue
      const entry = this.#view.lookup(`/${layers[index] ?? ''}`)
      if (!entry?.stat.isFile()) throw badParameter(`invalid archive: layer ${layers[index] ?? ''} is missing`)
      const blob = await this.#store.content.writeStream(createReadStream(entry.hostPath), {}, this.#signal)
      const mediaType = blob.digest === diffId ? mediaTypes.layer : mediaTypes.layerGzip
      await this.#store.layers.unpack({ mediaType, ...blob }, diffId, this.#signal)
    }
    const { id } = await this.#store.create(config)
    for (const reference of references) await this.#store.tag(id, reference)
    if (references.length === 0) return [{ id, text: `Loaded image ID: ${id}\n` }]
    return references.map((reference) => ({ id, text: `Loaded image: ${familiarName(reference)}\n` }))
  }

  #read(path: string): Buffer {
    const bytes = this.#view.readFile(`/${path}`)
    if (!bytes) throw badParameter(`invalid archive: ${path} is missing`)
    return bytes
  }
}

function parseName(tag: string): Reference {
  try {
    return parseReference(tag)
  } catch (error) {
    if (error instanceof InvalidReferenceError) throw badParameter(`invalid archive: ${error.message}`)
    throw error
  }
}

/** The images and names that `docker save a b` means: a repository alone means all of its tags. */
export async function imagesToSave(store: ImageStore, names: readonly string[]): Promise<SavedImage[]> {
  const saved = new Map<string, SavedImage>()
  for (const name of names) {
    const found = await matchesOf(store, name)
    for (const { image, tags } of found) {
      const known = saved.get(image.id)?.tags ?? []
      saved.set(image.id, { image, tags: [...new Set([...known, ...tags])] })
    }
  }
  return [...saved.values()]
}

async function matchesOf(store: ImageStore, name: string): Promise<SavedImage[]> {
  const image = await store.find(name)
  const isId = image && (image.id.startsWith(name) || image.id.slice('sha256:'.length).startsWith(name))
  if (isId) return [{ image, tags: [] }]
  const reference = parseReference(name)
  if (reference.tag === undefined && reference.digest === undefined) {
    const repository = repositoryOf(reference)
    const all = await store.list()
    const tagged = all.map((candidate) => ({
      image: candidate,
      tags: candidate.repoTags.filter((tag) => repositoryOf(parseReference(tag)) === repository),
    }))
    const found = tagged.filter(({ tags }) => tags.length > 0)
    if (found.length > 0) return found
  }
  const resolved = image ?? (await store.resolve(name))
  return [{ image: resolved, tags: reference.tag === undefined ? [] : [familiarName(reference)] }]
}

async function layerOf(store: ImageStore, diffId: string): Promise<Layer> {
  const layer = await store.layers.get(diffId)
  if (!layer) throw new Error(`layer ${diffId} is missing from the store`)
  return layer
}

function ociLayerType(mediaType: string): string {
  if (mediaType === mediaTypes.dockerLayer) return mediaTypes.layer
  return mediaType === mediaTypes.dockerLayerGzip ? mediaTypes.layerGzip : mediaType
}

function blobPath(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`
}
