/**
 * POST /build: a context comes in, lines about the build go out. Also /build/prune.
 *
 * This is the API of the builder without BuildKit, which every docker client still speaks; what BuildKit brought to
 * Dockerfiles (heredocs, `RUN --mount`, stages in parallel, unneeded stages left out) works all the same.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { EventBus } from '../events.ts'
import { BuildContext } from '@dinghy/builder/build-context'
import type { BuildOptions, BuildServices } from '@dinghy/builder/builder'
import { prepareBuild, runBuild } from '@dinghy/builder/builder'
import type { RunLimits } from '@dinghy/builder/steps/run-command'
import { decodeSecrets } from '@dinghy/builder/steps/secrets'
import { receiveRemote } from '@dinghy/builder/remote-context'
import { ExpansionError } from '@dinghy/builder/dockerfile/expand'
import { DockerfileError } from '@dinghy/builder/dockerfile/parse'
import type { Reference } from '@dinghy/shared/docker/reference'
import type { Image } from '@dinghy/images/store/image-store'
import { decodeCredentialMap } from '@dinghy/images/distribution/credentials'
import { parsePlatform } from '@dinghy/images/distribution/platform'
import { badParameter } from '@dinghy/shared/docker/errors'
import { removeTree } from '@dinghy/shared/process/remove-tree'
import { messageOf } from '@dinghy/shared/api/message-of'
import { checkUlimits } from '../containers/create-body.ts'
import type { HostConfig } from '../containers/record.ts'
import { checkPlain, checkShape, ulimitShape, type Shape } from './body-shape.ts'
import { referenceOr400 } from './images.ts'
import { JsonStream } from './json-stream.ts'
import type { DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { publishImage, publishTag } from './image-events.ts'
import { isTrue, sendJson } from './request.ts'

type Ulimit = NonNullable<HostConfig['Ulimits']>[number]

export interface BuildRouteDeps extends BuildServices {
  events: EventBus
}

export function buildRoutes(router: Router, deps: BuildRouteDeps): void {
  mkdirSync(deps.directory, { recursive: true, mode: 0o711 })

  router.add('POST', '/build', async (request, reply) => {
    // A client that speaks BuildKit's own protocol would wait for a session that nobody opens.
    if (request.query.get('version') === '2')
      throw badParameter('BuildKit is not available here: use DOCKER_BUILDKIT=0')
    checkBuildOptions(request.query)
    const options = buildOptions(request)
    const tags = request.query.getAll('t').filter(Boolean).map(referenceOr400)
    const context = await receiveContext(request, options, deps)
    try {
      const prepared = orBadRequest(() => prepareBuild(context, options))
      const isQuiet = isTrue(request.query.get('q'))
      const stream = new JsonStream(reply)
      await stream.run(async () => {
        const withheld: string[] = []
        const show = (text: string): void => (isQuiet ? void withheld.push(text) : stream.send({ stream: text }))
        const events = {
          onText: show,
          onProgress: (progress: object) => (isQuiet ? undefined : stream.send(progress)),
          onImage: (ID: string) => (isQuiet ? undefined : stream.send({ aux: { ID } })),
        }
        try {
          const image = await runBuild(prepared, context, deps, events, request.signal)
          const { id } = image
          publishImage(deps.events, 'create', image)
          await tagImage(image, tags, deps)
          const short = id.slice('sha256:'.length, 'sha256:'.length + 12)
          if (isQuiet) stream.send({ stream: `${id}\n` })
          else {
            stream.send({ stream: `Successfully built ${short}\n` })
            for (const name of await namesOf(id, tags, deps)) stream.send({ stream: `Successfully tagged ${name}\n` })
          }
        } catch (error) {
          // What --quiet held back is needed to understand the error.
          for (const text of withheld) stream.send({ stream: text })
          throw error
        }
      })
    } finally {
      context.remove()
    }
  })

  router.add('POST', '/build/prune', async (_request, reply) => {
    const CachesDeleted = await deps.cache.clear()
    await removeTree(join(deps.directory, 'cache-mounts'))
    deps.events.publish('builder', 'prune', '', { reclaimed: '0' })
    sendJson(reply, 200, { CachesDeleted, SpaceReclaimed: 0 })
  })
}

/** Limits and isolation of the steps of a build; clients send zero and empty lists where nothing was asked for. */
const unsupportedOptions =
  'memory memswap cpushares cpuquota cpuperiod cpusetcpus cpusetmems cgroupparent securityopt storageopt squash outputs'.split(
    ' ',
  )

function checkBuildOptions(query: URLSearchParams): void {
  // The CPU and the memory node 0 are something to ask for.
  const isAsked = (name: string) => (value: string) =>
    name.startsWith('cpuset') ? value !== '' : isTrue(value) && !['null', '[]', '{}'].includes(value)
  const option = unsupportedOptions.find((name) => query.getAll(name).some(isAsked(name)))
  if (option !== undefined) throw badParameter(`the option ${option} is not supported for builds`)
  const isolation = query.get('isolation') ?? ''
  if (!['', 'default'].includes(isolation)) throw badParameter(`invalid isolation: ${isolation}`)
}

function buildOptions({ query, headers }: DockerRequest): BuildOptions {
  const platform = query.get('platform') ?? ''
  return {
    dockerfile: query.get('dockerfile') || 'Dockerfile',
    target: query.get('target') || undefined,
    buildArgs: parseMap(query.get('buildargs'), 'buildargs'),
    labels: withoutNull(parseMap(query.get('labels'), 'labels')),
    noCache: isTrue(query.get('nocache')),
    pull: isTrue(query.get('pull')),
    network: networkOf(query.get('networkmode') ?? ''),
    extraHosts: query.getAll('extrahosts').map(extraHost),
    limits: limitsOf(query),
    cacheFrom: parseNames(query.get('cachefrom'), 'cachefrom'),
    ...(platform !== '' ? { platform: parsePlatform(platform) } : {}),
    secrets: decodeSecrets(headers['x-build-secrets']?.toString()),
    credentials: decodeCredentialMap(headers['x-registry-config']?.toString()),
  }
}

function limitsOf(query: URLSearchParams): RunLimits {
  const shmSizeBytes = Number(query.get('shmsize') ?? 0)
  if (!Number.isSafeInteger(shmSizeBytes) || shmSizeBytes < 0) throw badParameter('SHM size can not be less than 0')
  const asked = (parseJson(query.get('ulimits'), { listOf: ulimitShape }, 'ulimits') ?? []) as Ulimit[]
  checkUlimits(asked)
  const ulimits = asked.map(({ Name: name, Soft: soft, Hard: hard }) => ({ name, soft, hard }))
  return { ...(shmSizeBytes > 0 ? { shmSizeBytes } : {}), ...(ulimits.length > 0 ? { ulimits } : {}) }
}

/** A build runs on the machine's network or on none; the name of another one must not be lost. */
function networkOf(mode: string): 'none' | 'default' {
  if (mode === 'none') return 'none'
  if (['', 'default', 'bridge', 'host'].includes(mode)) return 'default'
  throw badParameter(`network mode ${JSON.stringify(mode)} is not supported for builds`)
}

/** `name:address`, or `name=address` of newer clients. */
function extraHost(text: string): string {
  const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(text) ?? []
  if (name === undefined) throw badParameter(`bad format for add-host: ${JSON.stringify(text)}`)
  return `${name}:${address}`
}

async function receiveContext(
  request: DockerRequest,
  options: BuildOptions,
  deps: BuildRouteDeps,
): Promise<BuildContext> {
  const parent = join(deps.directory, 'contexts')
  const remote = request.query.get('remote') ?? ''
  if (remote !== '') return receiveRemote(remote, parent, options.dockerfile, request.signal)
  try {
    return await BuildContext.receive(request.stream, parent, options.dockerfile, request.signal)
  } catch (error) {
    if (request.signal.aborted) throw error
    throw badParameter(`Error processing tar file(${error instanceof Error ? error.message : String(error)})`)
  }
}

async function tagImage(image: Image, tags: readonly Reference[], { images, events }: BuildRouteDeps): Promise<void> {
  for (const reference of tags) {
    await images.tag(image.id, reference)
    publishTag(events, image, reference)
  }
}

/** Names as people write them, with the tag that was left out. */
async function namesOf(id: string, tags: readonly Reference[], { images }: BuildRouteDeps): Promise<string[]> {
  if (tags.length === 0) return []
  const { repoTags } = await images.resolve(id)
  return repoTags.filter((name) => tags.some((tag) => sameName(referenceOr400(name), tag)))
}

function sameName(a: Reference, b: Reference): boolean {
  return a.domain === b.domain && a.path === b.path && a.tag === (b.tag ?? 'latest')
}

/** What is wrong with the Dockerfile itself is the client's mistake. */
function orBadRequest<T>(prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    if (error instanceof DockerfileError || error instanceof ExpansionError) throw badParameter(error.message)
    throw error
  }
}

function parseNames(text: string | null, name: string): string[] {
  return (parseJson(text, { listOf: 'string' }, name) as string[] | undefined) ?? []
}

/** Null stays null: such a build argument has the value that the Dockerfile gives it. */
function parseMap(text: string | null, name: string): Record<string, string | null> {
  return (parseJson(text, { mapOf: { oneOf: ['string'] } }, name) as Record<string, string | null> | undefined) ?? {}
}

function withoutNull(map: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, value ?? '']))
}

/** Undefined when nothing was given. */
function parseJson(text: string | null, shape: Shape, name: string): unknown {
  if (text === null || text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    checkPlain(value)
    return checkShape(value, shape) ?? undefined
  } catch (error) {
    throw badParameter(`error reading ${name}: ${messageOf(error)}`)
  }
}
