/**
 * What `docker events` tells of images, as moby does: the image's id and its labels, and under which name it was
 * spoken of. A pull and a push have a reference in the place of the id.
 */
import type { Image } from '@dinghy/images/store/image-store'
import { familiarName, familiarRepository, type Reference, withDefaultTag } from '@dinghy/shared/docker/reference'
import type { EventBus } from '../events.ts'

type Known = Pick<Image, 'id' | 'config'>

/** Of an image that is there. `create`: it was built, whether it gets a name or not. */
export function publishImage(
  events: EventBus,
  action: 'create' | 'import' | 'load' | 'save' | 'untag',
  image: Known,
): void {
  events.publish('image', action, image.id, attributesOf(image, image.id))
}

/** With its labels no longer known. */
export function publishDeleted(events: EventBus, id: string): void {
  events.publish('image', 'delete', id, { name: id })
}

export function publishTag(events: EventBus, image: Known, reference: Reference): void {
  events.publish('image', 'tag', image.id, attributesOf(image, familiarName(withDefaultTag(reference))))
}

/** `image` is not known where all tags of a repository were moved. */
export function publishTransfer(
  events: EventBus,
  action: 'pull' | 'push',
  reference: Reference,
  image: Known | undefined,
): void {
  const name = familiarName(withDefaultTag(reference))
  events.publish('image', action, name, attributesOf(image, familiarRepository(reference)))
}

function attributesOf(image: Pick<Image, 'config'> | undefined, name: string): Record<string, string> {
  return { ...image?.config.config.Labels, name }
}
