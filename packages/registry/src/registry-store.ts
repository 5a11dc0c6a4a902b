/**
 * What our own registry keeps, on disk:
 *
 *   blobs/sha256/<hex>                     shared by all repositories                    (content-store.ts)
 *   repositories/<name>/blobs/<hex>        empty: this repository may show that blob
 *   repositories/<name>/manifests/<hex>    the manifest's media type; its bytes are a blob
 *   repositories/<name>/tags/<tag>         the digest it points to
 *   uploads/<id>                           what has arrived of an upload
 *
 * Repository names are percent-encoded into one directory name, so `a/tags` and the tags of `a` cannot meet.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, mkdirSync } from 'node:fs'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ContentStore, hexOf } from '@dinghy/images/content/content-store'

interface StoredManifest {
  digest: string
  mediaType: string
  bytes: Buffer
}

export class RegistryStore {
  readonly content: ContentStore
  readonly #repositories: string
  readonly #uploads: string

  constructor(root: string) {
    this.content = new ContentStore(root)
    this.#repositories = join(root, 'repositories')
    this.#uploads = join(root, 'uploads')
    mkdirSync(this.#repositories, { recursive: true })
    mkdirSync(this.#uploads, { recursive: true })
  }

  async repositories(): Promise<string[]> {
    return (await readdir(this.#repositories)).map(decodeURIComponent).sort()
  }

  hasRepository(name: string): boolean {
    return existsSync(this.#path(name))
  }

  async tags(name: string): Promise<string[]> {
    return (await namesIn(this.#path(name, 'tags'))).sort()
  }

  hasBlob(name: string, digest: string): boolean {
    return existsSync(this.#path(name, 'blobs', hexOf(digest)))
  }

  async linkBlob(name: string, digest: string): Promise<void> {
    await put(this.#path(name, 'blobs', hexOf(digest)), '')
  }

  async unlinkBlob(name: string, digest: string): Promise<void> {
    await rm(this.#path(name, 'blobs', hexOf(digest)))
  }

  /** By tag or digest; undefined if there is none. */
  async manifest(name: string, reference: string): Promise<StoredManifest | undefined> {
    const digest = reference.includes(':') ? reference : await readText(this.#path(name, 'tags', reference))
    if (digest === undefined) return undefined
    const mediaType = await readText(this.#path(name, 'manifests', hexOf(digest)))
    return mediaType === undefined ? undefined : { digest, mediaType, bytes: await this.content.read(digest) }
  }

  async putManifest(name: string, mediaType: string, bytes: Buffer, tag: string | undefined): Promise<string> {
    const { digest } = await this.content.write(bytes)
    await put(this.#path(name, 'manifests', hexOf(digest)), mediaType)
    if (tag !== undefined) await put(this.#path(name, 'tags', tag), digest)
    return digest
  }

  /** Removes a tag; or a manifest, with every tag that points to it. */
  async removeManifest(name: string, reference: string): Promise<void> {
    if (!reference.includes(':')) return rm(this.#path(name, 'tags', reference))
    for (const tag of await this.tags(name)) {
      const path = this.#path(name, 'tags', tag)
      if ((await readText(path)) === reference) await rm(path)
    }
    await rm(this.#path(name, 'manifests', hexOf(reference)))
  }

  async startUpload(): Promise<string> {
    const id = randomUUID()
    await writeFile(join(this.#uploads, id), '')
    return id
  }

  /** Bytes that have arrived; undefined for an upload that does not exist. */
  async uploadSize(id: string): Promise<number | undefined> {
    return stat(join(this.#uploads, id)).then(({ size }) => size, ignoreMissing)
  }

  async appendUpload(id: string, body: Readable): Promise<number> {
    await pipeline(body, createWriteStream(join(this.#uploads, id), { flags: 'a' }))
    return (await this.uploadSize(id)) ?? 0
  }

  /** Checks the digest; a wrong one throws DigestMismatchError and ends the upload. */
  async finishUpload(id: string, name: string, digest: string): Promise<void> {
    try {
      await this.content.writeStream(createReadStream(join(this.#uploads, id)), { digest })
    } finally {
      await this.cancelUpload(id)
    }
    await this.linkBlob(name, digest)
  }

  async cancelUpload(id: string): Promise<void> {
    await rm(join(this.#uploads, id), { force: true })
  }

  #path(name: string, ...rest: string[]): string {
    return join(this.#repositories, encodeURIComponent(name), ...rest)
  }
}

/** By rename: a reader sees the old content or the new. */
async function put(path: string, content: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${randomUUID()}`)
  await writeFile(temporary, content)
  await rename(temporary, path)
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(ignoreMissing)
}

async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(ignoreMissing)
  return (names ?? []).filter((name) => !name.startsWith('.'))
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
