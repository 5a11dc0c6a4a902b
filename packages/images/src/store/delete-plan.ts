/**
 * docker rmi and docker image prune: what may go, and why not. Pure, over a snapshot of images and containers.
 *
 * Removing a *name* untags, and deletes the image only when nothing else holds it. Removing an *id* deletes. An image
 * that goes takes its untagged parents along, as far as nobody needs them. Rules and texts are those of Docker's
 * image store.
 */
import { conflict } from '@dinghy/shared/docker/errors'
import type { Image } from './image-store.ts'
import { familiarName, parseReference, repositoryOf, withDefaultTag } from '@dinghy/shared/docker/reference'

/** A container that stands on an image. */
export interface ImageUser {
  id: string
  imageId: string
  isRunning: boolean
}

export type DeleteAction = { untag: string } | { delete: Image }

export interface DeleteOptions {
  force: boolean
  /** Delete untagged parents too. */
  pruneParents: boolean
}

/** Steps in order. `named` is what the user asked for, which `image` was found by. Throws a 409. */
export function planDelete(
  named: string,
  image: Image,
  images: readonly Image[],
  users: readonly ImageUser[],
  options: DeleteOptions,
): DeleteAction[] {
  const actions: DeleteAction[] = []
  const names = [...image.repoTags, ...image.repoDigests]
  const state = new Deletion(images, users)
  if (!isIdOf(image, named)) {
    const user = users.find(({ imageId }) => imageId === image.id)
    if (!options.force && user && isSingleReference(image)) {
      throw conflict(
        `conflict: unable to remove repository reference ${JSON.stringify(named)} (must force) - container ` +
          `${short(user.id)} is using its referenced image ${short(image.id)}`,
      )
    }
    const untagged = untaggedNames(named, image)
    actions.push(...untagged.map((untag) => ({ untag })))
    if (names.some((name) => !untagged.includes(name))) return actions
    state.forgetNames(image)
    return [...actions, ...state.remove(image, options, 'quietly')]
  }
  if (isSingleReference(image)) {
    const conflicting = state.hardConflict(image) ?? (options.force ? undefined : state.stoppedConflict(image))
    if (conflicting) throw conflict(conflicting)
    actions.push(...names.map((untag) => ({ untag })))
    state.forgetNames(image)
  }
  return [...actions, ...state.remove(image, options, 'loudly')]
}

/** Images that a prune takes: dangling ones, or with `all` everything no container stands on. Children first. */
export function planPrune(
  images: readonly Image[],
  users: readonly ImageUser[],
  options: { all: boolean; matches: (image: Image) => boolean },
): DeleteAction[] {
  const actions: DeleteAction[] = []
  const used = new Set(users.map(({ imageId }) => imageId))
  const state = new Deletion(images, users)
  const candidates = images.filter((image) => {
    const isTagged = image.repoTags.length > 0
    return (
      !used.has(image.id) &&
      (options.all ? isTagged || !state.hasChildren(image) : !isTagged && !state.hasChildren(image))
    )
  })
  for (const image of candidates.filter(options.matches)) {
    if (state.isGone(image)) continue
    const names = [...image.repoTags, ...image.repoDigests]
    actions.push(...names.map((untag) => ({ untag })))
    state.forgetNames(image)
    // Something built on it may be in use: then only the name goes.
    if (!state.hasChildren(image)) actions.push(...state.remove(image, { force: false, pruneParents: true }, 'quietly'))
  }
  return actions
}

/** The snapshot, and what the plan has taken from it so far. */
class Deletion {
  readonly #images: Map<string, Image>
  readonly #users: readonly ImageUser[]
  readonly #nameless = new Set<string>()

  constructor(images: readonly Image[], users: readonly ImageUser[]) {
    this.#images = new Map(images.map((image) => [image.id, image]))
    this.#users = users
  }

  isGone({ id }: Image): boolean {
    return !this.#images.has(id)
  }

  forgetNames({ id }: Image): void {
    this.#nameless.add(id)
  }

  hasChildren({ id }: Image): boolean {
    return [...this.#images.values()].some(({ parent }) => parent === id)
  }

  /** `quietly`: a conflict means the image stays, unless it would be left without any use to anybody. */
  remove(image: Image, options: DeleteOptions, how: 'quietly' | 'loudly'): DeleteAction[] {
    const conflicting = this.hardConflict(image) ?? (options.force ? undefined : this.#softConflict(image))
    if (conflicting !== undefined) {
      if (how === 'quietly') return []
      throw conflict(conflicting)
    }
    const untagged = this.#nameless.has(image.id) ? [] : [...image.repoTags, ...image.repoDigests]
    this.#images.delete(image.id)
    const parent = image.parent === undefined ? undefined : this.#images.get(image.parent)
    const above =
      options.pruneParents && parent ? this.remove(parent, { force: false, pruneParents: true }, 'quietly') : []
    return [...untagged.map((untag) => ({ untag })), { delete: image }, ...above]
  }

  hardConflict(image: Image): string | undefined {
    if (this.hasChildren(image)) return refusal(image, 'cannot be forced', 'image has dependent child images')
    const user = this.#userOf(image, true)
    return user && refusal(image, 'cannot be forced', `image is being used by running container ${short(user.id)}`)
  }

  stoppedConflict(image: Image): string | undefined {
    const user = this.#userOf(image, false)
    return user && refusal(image, 'must be forced', `image is being used by stopped container ${short(user.id)}`)
  }

  #softConflict(image: Image): string | undefined {
    const isNamed = image.repoTags.length + image.repoDigests.length > 0 && !this.#nameless.has(image.id)
    if (isNamed) return refusal(image, 'must be forced', 'image is referenced in multiple repositories')
    return this.stoppedConflict(image)
  }

  #userOf(image: Image, isRunning: boolean): ImageUser | undefined {
    return this.#users.find((user) => user.imageId === image.id && user.isRunning === isRunning)
  }
}

function refusal(image: Image, how: string, why: string): string {
  return `conflict: unable to delete ${short(image.id)} (${how}) - ${why}`
}

/** The name itself; with the last tag of a repository its digests go, too. */
function untaggedNames(named: string, image: Image): string[] {
  const reference = withDefaultTag(parseReference(named))
  const name = familiarName(reference)
  if (reference.digest !== undefined) return [name]
  const repository = repositoryOf(reference)
  const isOfRepository = (other: string): boolean => repositoryOf(parseReference(other)) === repository
  const hasOtherTag = image.repoTags.some((tag) => tag !== name && isOfRepository(tag))
  return [name, ...(hasOtherTag ? [] : image.repoDigests.filter(isOfRepository))]
}

/** All names are of one repository, with at most one tag. */
function isSingleReference({ repoTags, repoDigests }: Image): boolean {
  const repositories = new Set([...repoTags, ...repoDigests].map((name) => repositoryOf(parseReference(name))))
  return repositories.size === 1 && repoTags.length <= 1
}

function isIdOf({ id }: Image, text: string): boolean {
  return id.startsWith(text) || id.slice('sha256:'.length).startsWith(text)
}

function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
