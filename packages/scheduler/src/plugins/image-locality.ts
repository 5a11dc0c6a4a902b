/**
 * ImageLocality: prefers nodes that already have the pod's images, the bigger the better. An image counts less while
 * few nodes have it, or one node would attract every pod that uses it.
 */

import { maxNodeScore, type Plugin } from '../framework.ts'
import type { NodeInfo } from '../snapshot.ts'

const megabyte = 1024 * 1024
/** Below this size, pulling is quick enough not to matter. */
const least = 23 * megabyte
/** Above this size, for each container, more makes no difference. */
const mostPerContainer = 1000 * megabyte

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,

  preScore(pod, { nodes }) {
    const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    const images = containers.map(({ image }) => withTag(image ?? ''))
    const spread = new Map(
      images.map((image) => [image, nodes.filter((info) => sizeOf(image, info) > 0).length / nodes.length]),
    )
    const most = mostPerContainer * containers.length
    return {
      score(info) {
        const sum = images.reduce((sum, image) => sum + Math.trunc(sizeOf(image, info) * (spread.get(image) ?? 0)), 0)
        const clamped = Math.min(Math.max(sum, least), most)
        return Math.trunc((maxNodeScore * (clamped - least)) / (most - least))
      },
    }
  },
}

function sizeOf(image: string, { node }: NodeInfo): number {
  return node.status.images?.find(({ names }) => names?.includes(image))?.sizeBytes ?? 0
}

/** "nginx" → "nginx:latest"; a colon before the last slash belongs to a registry's port. */
function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image
}
