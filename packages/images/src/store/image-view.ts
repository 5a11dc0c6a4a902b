/** All files of an image as one tree; for a host base, with this machine's system files below. */
import { hostBaseLayer } from './host-base.ts'
import type { Image } from './image-store.ts'
import { viewLayer } from '../layers/layer-store.ts'
import { LayerView } from '../layers/layer-view.ts'

export function viewOf({ layers, hostBase }: Pick<Image, 'layers' | 'hostBase'>): LayerView {
  return new LayerView([...(hostBase ? [hostBaseLayer()] : []), ...layers.map(viewLayer)])
}
