/** docker import: an image of one layer, made of a tar. */
import type { Readable } from 'node:stream'
import type { Platform, RunConfig } from '../content/oci.ts'
import { hostPlatform } from '../content/oci.ts'
import { decompressed } from '../files/compression.ts'
import type { Image, ImageStore } from './image-store.ts'

/** An image of one layer: the tar's content. */
export async function importImage(
  store: ImageStore,
  tar: Readable,
  options: { message: string; config: RunConfig; now: Date; platform?: Platform },
  signal?: AbortSignal,
): Promise<Image> {
  const { stream } = await decompressed(tar, signal)
  const layer = await store.layers.add(stream, signal)
  const created = options.now.toISOString()
  return store.create({
    created,
    ...(options.platform ?? hostPlatform()),
    config: options.config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created, comment: options.message }],
  })
}
