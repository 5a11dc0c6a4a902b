/** Images in and out: pull, import, push, save, load; and docker login. */
import type { Clock } from '@dinghy/shared/api/clock'
import type { EventBus } from '../events.ts'
import { imagesToSave, loadImages, saveImages } from '@dinghy/images/store/archive'
import { DockerfileError } from '@dinghy/builder/dockerfile/parse'
import { webRequest } from '@dinghy/images/distribution/web-request'
import { applyChanges } from '@dinghy/builder/apply-changes'
import { importImage } from '@dinghy/images/store/import'
import type { ImageSource } from '@dinghy/images/image-source'
import type { ImageStore } from '@dinghy/images/store/image-store'
import type { Reference } from '@dinghy/shared/docker/reference'
import {
  familiarName,
  familiarRepository,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from '@dinghy/shared/docker/reference'
import type { Credentials } from '@dinghy/images/distribution/credentials'
import { decodeCredentials } from '@dinghy/images/distribution/credentials'
import { checkLogin } from '@dinghy/images/distribution/login'
import { parsePlatform } from '@dinghy/images/distribution/platform'
import { pushImage } from '@dinghy/images/distribution/push'
import { UnreachableError } from '@dinghy/images/distribution/web-request'
import { authShape } from './body-shape.ts'
import { badParameter, DockerError, notFound, serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { referenceOr400 } from './images.ts'
import { publishImage, publishTransfer } from './image-events.ts'
import { JsonStream } from './json-stream.ts'
import type { DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { sendJson } from './request.ts'
import type { FastifyReply } from 'fastify'

export interface ImageTransferDeps {
  images: ImageStore
  source: ImageSource
  events: EventBus
  clock: Clock
}

export function imageTransferRoutes(router: Router, deps: ImageTransferDeps): void {
  const { images, events } = deps

  router.add('POST', '/images/create', async (request, reply) => {
    const { query } = request
    if (query.get('fromImage')) await pull(request, reply, deps)
    else if (query.get('fromSrc')) await importFrom(request, reply, deps)
    else throw badParameter('either fromImage or fromSrc must be given')
  })

  router.add('POST', '/images/:name/push', async ({ params, query, headers, signal }, reply) => {
    const named = referenceOr400(params['name'] ?? '')
    const tag = query.get('tag') || named.tag
    const references = tag ? [{ ...named, tag }] : await localTags(named, images)
    if (references.length === 0) {
      throw notFound(`An image does not exist locally with the tag: ${familiarRepository(named)}`)
    }
    const credentials = decodeCredentials(headers['x-registry-auth']?.toString())
    const stream = new JsonStream(reply)
    for (const reference of references) await requireLocal(reference, images)
    await stream.run(async () => {
      for (const reference of references) {
        const image = await images.resolve(familiarName(reference))
        await asDockerError(() =>
          pushImage(images, image, reference, credentials, (progress) => stream.send(progress), signal),
        )
        publishTransfer(events, 'push', reference, image)
      }
    })
  })

  const save = async (names: string[], { signal }: DockerRequest, reply: FastifyReply): Promise<void> => {
    if (names.length === 0) throw badParameter('no image names were given')
    const saved = await imagesToSave(images, names)
    for (const { image } of saved) publishImage(events, 'save', image)
    await reply.type('application/x-tar').send(saveImages(images, saved, signal))
  }
  router.add('GET', '/images/get', (request, reply) => {
    const names = request.query.getAll('names').flatMap((text) => text.split(','))
    return save(names.filter(Boolean), request, reply)
  })
  router.add('GET', '/images/:name/get', (request, reply) => save([request.params['name'] ?? ''], request, reply))

  router.add('POST', '/images/load', async (request, reply) => {
    const stream = new JsonStream(reply)
    // Docker answers 200 before it reads the archive: whatever is wrong with that is told in the stream.
    stream.begin()
    await stream.run(async () => {
      const { stream: archive, signal } = request
      for (const { id, text } of await orBadArchive(loadImages(images, archive, signal), signal)) {
        publishImage(events, 'load', await images.resolve(id))
        stream.send({ stream: text })
      }
    })
  })

  router.add('POST', '/auth', async (request, reply) => {
    const credentials = await request.json<Credentials>(authShape)
    await asDockerError(() => checkLogin(credentials, request.signal))
    sendJson(reply, 200, { Status: 'Login Succeeded', IdentityToken: '' })
  })
}

async function pull(
  { query, headers, signal }: DockerRequest,
  reply: FastifyReply,
  deps: ImageTransferDeps,
): Promise<void> {
  const tag = query.get('tag') ?? ''
  const reference = withTag(referenceOr400(query.get('fromImage') ?? ''), tag)
  const platform = query.get('platform') ?? ''
  const credentials = decodeCredentials(headers['x-registry-auth']?.toString())
  const options = {
    ...(platform !== '' ? { platform: parsePlatform(platform) } : {}),
    ...(credentials ? { credentials: () => credentials } : {}),
  }
  const stream = new JsonStream(reply)
  await stream.run(async () => {
    // A name alone means all its tags: clients that want the latest say so.
    const method = reference.tag === undefined && reference.digest === undefined ? 'pullAll' : 'pull'
    await asDockerError(async () => {
      await deps.source[method](reference, options, (progress) => stream.send(progress), signal)
    })
    publishTransfer(deps.events, 'pull', reference, await deps.images.find(familiarName(withDefaultTag(reference))))
  })
}

async function importFrom(
  { query, stream: body, signal }: DockerRequest,
  reply: FastifyReply,
  deps: ImageTransferDeps,
): Promise<void> {
  const { images, events, clock } = deps
  const from = query.get('fromSrc') ?? ''
  const repo = query.get('repo') ?? ''
  const reference = repo === '' ? undefined : withTag(referenceOr400(repo), query.get('tag') ?? '')
  const platform = query.get('platform') ?? ''
  const options = { ...(platform !== '' ? { platform: parsePlatform(platform) } : {}), now: new Date(clock.now()) }
  const stream = new JsonStream(reply)
  await stream.run(async () => {
    const tar =
      from === '-'
        ? body
        : (await asDockerError(() => webRequest(from.includes('://') ? from : `http://${from}`, {}, signal))).body
    const message = query.get('message') || `Imported from ${from}`
    const { id } = await asDockerError(() => {
      const config = applyChanges({}, query.getAll('changes'))
      return orBadArchive(importImage(images, tar, { ...options, message, config }, signal), signal)
    })
    if (reference) await images.tag(id, reference)
    publishImage(events, 'import', await images.resolve(id))
    stream.send({ status: id })
  })
}

/** Troubles of this machine, whatever was sent. */
const ownTroubles = ['EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'ENOSPC', 'EROFS']

/** Otherwise what the client has sent is no archive of images, or none at all: nothing has gone wrong here. */
async function orBadArchive<T>(reading: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await reading
  } catch (error) {
    const isOurs = ownTroubles.includes(String((error as NodeJS.ErrnoException).code))
    throw signal.aborted || isOurs || error instanceof DockerError ? error : badParameter(messageOf(error))
  }
}

/** A tag parameter may also be a digest. */
function withTag(reference: Reference, tag: string): Reference {
  if (tag === '') return reference
  return parseReference(`${repositoryOf(reference)}${tag.includes(':') ? '@' : ':'}${tag}`)
}

async function localTags(reference: Reference, images: ImageStore): Promise<Reference[]> {
  const tags = (await images.list()).flatMap(({ repoTags }) => repoTags).map(parseReference)
  return tags.filter((tag) => repositoryOf(tag) === repositoryOf(reference))
}

async function requireLocal(reference: Reference, images: ImageStore): Promise<void> {
  if (await images.find(familiarName(reference))) return
  throw notFound(`An image does not exist locally with the tag: ${familiarRepository(reference)}`)
}

/** Errors that have nothing to do with the runtime itself keep their words and get a status. */
async function asDockerError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DockerfileError) throw badParameter(error.message)
    if (error instanceof UnreachableError) throw serverError(error.message, error)
    throw error
  }
}
