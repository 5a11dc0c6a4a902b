/** ADD unpacks local archives: a tar, plain or compressed, is replaced by what is in it. */
import { createReadStream } from 'node:fs'
import { decompressed, peek } from '@dinghy/images/files/compression'
import { applyLayer } from '@dinghy/images/layers/layer-apply'
import { LayerView } from '@dinghy/images/layers/layer-view'

export const tarBlock = 512

/** Looks at the content, as Docker does; the file's name says nothing. */
export async function isArchive(path: string): Promise<boolean> {
  const file = createReadStream(path)
  const { stream, compression } = await decompressed(file)
  try {
    const { head } = await peek(stream, tarBlock)
    return hasTarHeader(head)
  } catch (error) {
    // Something that only begins like a compressed file is copied as it is.
    if (compression !== 'none') return false
    throw error
  } finally {
    stream.destroy()
    file.destroy()
  }
}

/** Unpacks into an empty directory and shows it as a source to copy from; owners are the archive's. */
export async function unpackArchive(path: string, directory: string, signal?: AbortSignal): Promise<LayerView> {
  const { stream } = await decompressed(createReadStream(path), signal)
  await applyLayer(stream, directory, { privileged: process.getuid?.() === 0, isPlainArchive: true }, signal)
  return new LayerView([{ directory, opaque: new Set() }])
}

/** A header's checksum is the sum of its bytes, with the checksum's own field counted as blanks. */
export function hasTarHeader(block: Buffer): boolean {
  if (block.length < tarBlock) return false
  const stored = Number.parseInt(block.toString('latin1', 148, 156), 8)
  let sum = 0
  for (let at = 0; at < tarBlock; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0)
  return sum === stored
}
