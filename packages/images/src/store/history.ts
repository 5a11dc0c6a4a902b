/** docker history: the steps that made an image, newest first. Pure but for the sizes, which the caller looks up. */
import type { Image } from './image-store.ts'
import type { OciImageConfig } from '../content/oci.ts'

interface HistoryLine {
  /** `<missing>` for steps whose image is not here. */
  Id: string
  /** Seconds since the epoch. */
  Created: number
  CreatedBy: string
  Tags: string[] | null
  Size: number
  Comment: string
}

export function historyOf(
  image: Image,
  parentOf: (image: Image) => Image | undefined,
  layerSize: (diffId: string) => number,
): HistoryLine[] {
  const history = image.config.history ?? []
  const layers = [...image.config.rootfs.diff_ids]
  const lines = history.map((entry): HistoryLine => {
    const diffId = entry.empty_layer ? undefined : layers.shift()
    return {
      Id: '<missing>',
      Created: Math.floor(Date.parse(entry.created ?? '1970-01-01T00:00:00Z') / 1000),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: diffId === undefined ? 0 : layerSize(diffId),
      Comment: entry.comment ?? '',
    }
  })
  lines.reverse()
  // Images that were built here know their parents: as long as the chain is unbroken, the steps have ids.
  let step: Image | undefined = image
  for (const line of lines) {
    if (!step) break
    line.Id = step.id
    line.Tags = step.repoTags.length > 0 ? step.repoTags : null
    step = parentOf(step)
  }
  return lines
}

export function commentOf(config: OciImageConfig): string {
  return config.history?.at(-1)?.comment ?? ''
}
