/**
 * The build cache: which image a step gave the last time it was run on the same image with the same input.
 *
 * A key is a digest of the image the step starts from, the step's text with everything expanded, and the digest of
 * the files it copies. Steps are thereby found again whatever Dockerfile they stand in. An entry whose image is gone
 * is a miss. Like Docker's, the cache takes it for granted that the same RUN gives the same result.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import type { OciImageConfig } from '@dinghy/images/content/oci'
import { JsonDocument } from '@dinghy/images/content/json-document'

interface StepKey {
  /** Id of the image the step starts from; empty for scratch. */
  parent: string
  /** What stands in the history, or the command with its build arguments. */
  step: string
  /** Digest of copied files. */
  content?: string | undefined
}

interface Entries {
  /** Key → image id and when it was last used, in milliseconds. */
  [key: string]: { image: string; usedAt: number }
}

const maxEntries = 5000

export class BuildCache {
  readonly #document: JsonDocument<Entries>
  readonly #images: ImageStore
  readonly #clock: Clock

  constructor(root: string, images: ImageStore, clock: Clock) {
    this.#document = new JsonDocument(join(root, 'images', 'build-cache.json'), () => ({}))
    this.#images = images
    this.#clock = clock
  }

  async find(key: StepKey): Promise<Image | undefined> {
    const entry = (await this.#document.read())[cacheKey(key)]
    return entry && this.#images.find(entry.image)
  }

  async remember(key: StepKey, image: string): Promise<void> {
    await this.#document.update((entries) => {
      entries[cacheKey(key)] = { image, usedAt: this.#clock.now() }
      const keys = Object.keys(entries)
      if (keys.length <= maxEntries) return
      keys.sort((a, b) => (entries[a]?.usedAt ?? 0) - (entries[b]?.usedAt ?? 0))
      for (const old of keys.slice(0, keys.length - maxEntries)) delete entries[old]
    })
  }

  /** Forgets everything; returns the forgotten keys. The images stay, as dangling ones. */
  async clear(): Promise<string[]> {
    return this.#document.update((entries) => {
      const keys = Object.keys(entries)
      for (const key of keys) delete entries[key]
      return keys
    })
  }
}

/**
 * What an image's history (`--cache-from`) tells of one step: the layer it gave, or none where it changed the config
 * only. The step counts if all that was there before it is the same: the layers, and what made them. As in Docker.
 * Pure.
 */
export function stepInHistory(
  source: OciImageConfig,
  parent: OciImageConfig | undefined,
  createdBy: string,
): { diffId?: string; created?: string } | undefined {
  const before = parent?.history ?? []
  const layersBefore = parent?.rootfs.diff_ids ?? []
  const history = source.history ?? []
  const isSame = before.every(
    ({ created_by, empty_layer }, index) =>
      history[index]?.created_by === created_by && history[index]?.empty_layer === empty_layer,
  )
  if (!isSame || layersBefore.some((diffId, index) => source.rootfs.diff_ids[index] !== diffId)) return undefined
  const step = history[before.length]
  if (step?.created_by !== createdBy) return undefined
  const diffId = step.empty_layer ? undefined : source.rootfs.diff_ids[layersBefore.length]
  if (diffId === undefined && !step.empty_layer) return undefined
  return {
    ...(diffId !== undefined ? { diffId } : {}),
    ...(step.created !== undefined ? { created: step.created } : {}),
  }
}

function cacheKey({ parent, step, content }: StepKey): string {
  return createHash('sha256')
    .update(JSON.stringify([parent, step, content ?? null]))
    .digest('hex')
}
