/** /images: list, inspect, history, tag, remove, prune, search. Moving images in and out is image-transfer.ts. */
import type { Clock } from '@dinghy/shared/api/clock'
import type { Containers } from '../containers/containers.ts'
import type { EventBus } from '../events.ts'
import type { BuildCache } from '@dinghy/builder/build-cache'
import type { DeleteAction, ImageUser } from '@dinghy/images/store/delete-plan'
import { planDelete, planPrune } from '@dinghy/images/store/delete-plan'
import { historyOf } from '@dinghy/images/store/history'
import { readAll, webRequest } from '@dinghy/images/distribution/web-request'
import { chainIds } from '@dinghy/images/layers/chain-id'
import { patternExpression } from '@dinghy/shared/docker/dockerignore'
import type { ImageSource } from '@dinghy/images/image-source'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import { familiarRepository, InvalidReferenceError, parseReference } from '@dinghy/shared/docker/reference'
import type { Reference } from '@dinghy/shared/docker/reference'
import { booleanFilter } from './boolean-filter.ts'
import { badParameter, serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { Filters } from '../filters.ts'
import { labelsMatch, parseFilters } from '../filters.ts'
import { imageInspect, imageSummary } from './image-json.ts'
import type { DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { publishDeleted, publishImage, publishTag } from './image-events.ts'
import { isTrue, sendEmpty, sendJson } from './request.ts'
import { parseTimestamp } from './image-time.ts'

export interface ImageRouteDeps {
  images: ImageStore
  source: ImageSource
  cache: BuildCache
  containers: Pick<Containers, 'list' | 'get'>
  events: EventBus
  clock: Clock
}

const listFilters = ['dangling', 'label', 'before', 'since', 'until', 'reference']
const pruneFilters = ['dangling', 'label', 'label!', 'until']
/** Layers younger than this may belong to a pull or build that has not finished. */
const sweepAgeMs = 10 * 60_000

export function imageRoutes(router: Router, deps: ImageRouteDeps): void {
  const { images, events, clock } = deps

  router.add('GET', '/images/json', async ({ query, version }, reply) => {
    const filters = parseFilters(query.get('filters'), listFilters)
    const all = await images.list()
    const users = imageUsers(deps)
    const matches = await imageFilter(filters, images, clock)
    const parents = new Set(all.map(({ parent }) => parent))
    const shown = all.filter((image) => {
      const isIntermediate = image.repoTags.length + image.repoDigests.length === 0 && parents.has(image.id)
      return (isTrue(query.get('all')) || !isIntermediate) && isDanglingAsWanted(image, filters) && matches(image)
    })
    const before143 = version !== undefined && version[0] === 1 && version[1] < 43
    const summaries = shown
      .toSorted((a, b) => (a.created < b.created ? 1 : -1))
      .map((image) => {
        const containers = users.filter(({ imageId }) => imageId === image.id).length
        return imageSummary(onlyMatchingTags(image, filters), { containers, before143 })
      })
    sendJson(reply, 200, summaries)
  })

  router.add('GET', '/images/:name/json', async ({ params, version, headers }, reply) => {
    const isOld = version !== undefined && version[0] === 1 && version[1] < 45
    // docker-compose 1.x asks for the newest version there is and does not know that fields have gone since.
    const before145 = isOld || /\bdocker-compose\/1\./.test(headers['user-agent'] ?? '')
    sendJson(reply, 200, imageInspect(await images.resolve(params['name'] ?? ''), { before145 }))
  })

  router.add('GET', '/images/:name/history', async ({ params }, reply) => {
    const image = await images.resolve(params['name'] ?? '')
    const byId = new Map((await images.list()).map((other) => [other.id, other]))
    const layers = await Promise.all(image.config.rootfs.diff_ids.map((diffId) => images.layers.get(diffId)))
    const sizes = new Map(layers.map((layer) => [layer?.diffId, layer?.size ?? 0]))
    const parentOf = ({ parent }: Image): Image | undefined => (parent === undefined ? undefined : byId.get(parent))
    sendJson(
      reply,
      200,
      historyOf(image, parentOf, (diffId) => sizes.get(diffId) ?? 0),
    )
  })

  router.add('POST', '/images/:name/tag', async ({ params, query }, reply) => {
    const image = await images.resolve(params['name'] ?? '')
    const tag = query.get('tag') ?? ''
    const reference = referenceOr400((query.get('repo') ?? '') + (tag === '' ? '' : `:${tag}`))
    await images.tag(image.id, reference)
    publishTag(events, image, reference)
    sendEmpty(reply, 201)
  })

  router.add('DELETE', '/images/:name', async ({ params, query }, reply) => {
    const name = params['name'] ?? ''
    const image = await images.resolve(name)
    const options = { force: isTrue(query.get('force')), pruneParents: !isTrue(query.get('noprune')) }
    const actions = planDelete(name, image, await images.list(), imageUsers(deps), options)
    sendJson(reply, 200, (await carryOut(actions, deps)).records)
  })

  router.add('POST', '/images/prune', async ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), pruneFilters)
    const matches = await imageFilter(filters, images, clock)
    const all = booleanFilter(filters, 'dangling') === false
    const actions = planPrune(await images.list(), imageUsers(deps), { all, matches })
    const { records, freed } = await carryOut(actions, deps)
    const swept = await images.sweep(layersInUse(deps), sweepAgeMs)
    deps.events.publish('image', 'prune', '', { reclaimed: String(freed + swept) })
    sendJson(reply, 200, { ImagesDeleted: records.length > 0 ? records : null, SpaceReclaimed: freed + swept })
  })

  router.add('GET', '/images/search', async ({ query, signal }, reply) => {
    const term = query.get('term') ?? ''
    if (term === '') throw badParameter('search term is empty')
    const url = `https://index.docker.io/v1/search?${new URLSearchParams({ q: term, n: query.get('limit') ?? '25' }).toString()}`
    sendJson(reply, 200, await searchHub(url, signal))
  })
}

/** Containers as far as the life of images depends on them. */
function imageUsers({ containers }: Pick<ImageRouteDeps, 'containers'>): ImageUser[] {
  return containers.list().map(({ id, record, state }) => ({
    id,
    imageId: record.imageId,
    isRunning: ['running', 'paused', 'restarting'].includes(state.status),
  }))
}

export function referenceOr400(text: string): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof InvalidReferenceError) throw badParameter(error.message)
    throw error
  }
}

async function carryOut(
  actions: readonly DeleteAction[],
  deps: ImageRouteDeps,
): Promise<{ records: object[]; freed: number }> {
  const { images, events } = deps
  const records: object[] = []
  let freed = 0
  const inUse = new Set(imageUsers(deps).map(({ imageId }) => imageId))
  for (const action of actions) {
    if ('untag' in action) {
      const image = await images.resolve(action.untag)
      await images.untag(parseReference(action.untag))
      publishImage(events, 'untag', image)
      records.push({ Untagged: action.untag })
      continue
    }
    const { id, config } = action.delete
    const { layers, size } = await images.remove(id, { keepLayers: inUse.has(id) })
    freed += size
    publishDeleted(events, id)
    records.push({ Deleted: id })
    const chain = chainIds(config.rootfs.diff_ids)
    const gone = config.rootfs.diff_ids.flatMap((diffId, index) =>
      layers.includes(diffId) ? (chain[index] ?? []) : [],
    )
    records.push(...gone.reverse().map((Deleted) => ({ Deleted })))
  }
  return { records, freed }
}

function layersInUse({ containers }: ImageRouteDeps): Set<string> {
  return new Set(containers.list().flatMap(({ record }) => record.imageLayers))
}

function isDanglingAsWanted(image: Image, filters: Filters): boolean {
  const wanted = booleanFilter(filters, 'dangling')
  return wanted === undefined || wanted === (image.repoTags.length === 0)
}

/** `reference=alpine:*` also decides which of an image's names are shown. */
function onlyMatchingTags(image: Image, filters: Filters): Image {
  const patterns = filters.get('reference')
  return patterns ? { ...image, repoTags: image.repoTags.filter((tag) => matchesPatterns(tag, patterns)) } : image
}

async function imageFilter(filters: Filters, images: ImageStore, clock: Clock): Promise<(image: Image) => boolean> {
  const created = async (name: string): Promise<number> => Date.parse((await images.resolve(name)).created)
  const before = await Promise.all((filters.get('before') ?? []).map(created))
  const since = await Promise.all((filters.get('since') ?? []).map(created))
  const until = (filters.get('until') ?? []).map((text) => parseTimestamp(text, clock.now()))
  return (image) => {
    const at = Date.parse(image.created)
    return (
      before.every((limit) => at < limit) &&
      since.every((limit) => at > limit) &&
      until.every((limit) => at < limit) &&
      labelsMatch(filters, image.config.config.Labels ?? {}) &&
      (!filters.has('reference') || image.repoTags.some((tag) => matchesPatterns(tag, filters.get('reference') ?? [])))
    )
  }
}

/** A pattern may leave out the tag, as in `docker images --filter reference=busybox`. */
function matchesPatterns(tag: string, patterns: readonly string[]): boolean {
  const repository = familiarRepository(parseReference(tag))
  return patterns.some((pattern) => {
    const expression = patternExpression(pattern)
    return expression.test(tag) || expression.test(repository)
  })
}

async function searchHub(url: string, signal: DockerRequest['signal']): Promise<unknown> {
  try {
    const { status, body } = await webRequest(url, { timeoutMs: 10_000 }, signal)
    const text = (await readAll(body, 2 ** 20)).toString()
    if (status >= 400) throw serverError(`Unexpected status code ${status}`)
    return (JSON.parse(text) as { results?: unknown }).results ?? []
  } catch (error) {
    throw serverError(messageOf(error), error)
  }
}
