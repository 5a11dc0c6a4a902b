/**
 * The images of a project: built or pulled when they are missing, or as `pull_policy` and flags say.
 *
 * A service with both `image` and `build` is built: upstream would first ask a registry for its image.
 */

import { showWhile } from '@dinghy/clients/command-line/status-line'
import { systemClock } from '@dinghy/shared/api/clock'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { secretHeaders } from '@dinghy/clients/docker/build-secrets'
import { packContext } from '@dinghy/clients/docker/context'
import { ComposeError } from './compose-error.ts'
import { isRemoteContext } from './load/paths.ts'
import type { Build, Project, Service } from './model.ts'
import { step } from './progress.ts'
import { imageName } from './spec.ts'
import type { ComposeContext, Services } from './verb.ts'

export interface ImageOptions extends BuildOptions {
  /** Build what can be built, even if there is an image. */
  build?: boolean
  noBuild?: boolean
  /** Overrides the file's `pull_policy`. */
  pullPolicy?: string | undefined
}

export interface BuildOptions {
  noCache?: boolean
  /** Ask registries for newer base images. */
  pullBase?: boolean
  quiet?: boolean
  args?: Record<string, string>
}

type Context = Pick<ComposeContext, 'engine' | 'project'>

/** The id of each service's image. One that several services share is built or pulled once. */
export async function ensureImages(
  context: Context,
  services: Services,
  options: ImageOptions,
): Promise<Map<string, string>> {
  const ensured = new Map<string, string>()
  const ids = new Map<string, string>()
  for (const service of Object.values(services)) {
    const name = imageName(context.project, service)
    const id = ensured.get(name) ?? (await ensureImage(context, service, options))
    ensured.set(name, id)
    ids.set(service.name, id)
  }
  const mounted = Object.values(services).flatMap(({ volumes }) => volumes.filter(({ type }) => type === 'image'))
  for (const name of new Set(mounted.map(({ source = '' }) => source))) {
    if (!(await context.engine.exists(`/images/${name}/json`))) await pull(context, name)
  }
  return ids
}

export async function ensureImage(context: Context, service: Service, options: ImageOptions): Promise<string> {
  const { engine, project } = context
  const name = imageName(project, service)
  const policy = options.pullPolicy ?? service.pull_policy ?? 'missing'
  const isThere = await engine.exists(`/images/${name}/json`)
  if (service.build && !options.noBuild) {
    if (options.build || policy === 'build' || !isThere) await buildImage(context, service, options)
  } else if (policy === 'always' || !isThere) {
    if (policy === 'never' || options.noBuild)
      throw new ComposeError(`service "${service.name}" needs the image ${name}, which is not there`)
    await pullImage(context, service)
  }
  return (await engine.json<{ Id: string }>('GET', `/images/${name}/json`)).Id
}

export async function pullImage(context: Context, service: Service): Promise<void> {
  await pull(context, imageName(context.project, service), service.platform)
}

async function pull({ engine }: Pick<Context, 'engine'>, name: string, platform?: string): Promise<void> {
  const query = new URLSearchParams({
    fromImage: withTag(name),
    ...(platform !== undefined ? { platform } : {}),
  })
  let latest: string | undefined
  async function follow(): Promise<void> {
    for await (const { id, status } of engine.progress(`/images/create?${query}`, { lastsMs: Infinity })) {
      if (status?.startsWith('WARNING')) console.error(status)
      else if (status !== undefined) latest = `   ${name}: ${id === undefined ? '' : `${id} `}${status}`
    }
  }
  await step(`Image ${name}`, 'Pulling', 'Pulled', () => showWhile(follow(), () => latest, { clock: systemClock }))
}

/** Without a tag the engine would fetch every one there is. */
function withTag(name: string): string {
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`
}

export async function buildImage({ engine, project }: Context, service: Service, options: BuildOptions): Promise<void> {
  const { build } = service
  if (!build) return
  const name = imageName(project, service)
  const { query, context } = buildRequest(build, name, options)
  if (service.platform !== undefined) query.set('platform', service.platform)
  await step(`Image ${name}`, 'Building', 'Built', async () => {
    const lines = engine.progress(`/build?${query}`, {
      body: context,
      headers: secretHeaders(secretsOf(project, service, build)),
      lastsMs: Infinity,
    })
    for await (const { stream } of lines) if (!options.quiet) process.stderr.write(stream ?? '')
  })
}

function secretsOf(project: Project, service: Service, { secrets = [] }: Build): [string, Buffer][] {
  return secrets.map(({ source, target }) => {
    const { file, content } = project.secrets[source] ?? {}
    if (file !== undefined) return [target, readFileSync(file)]
    if (content !== undefined) return [target, Buffer.from(content)]
    throw new ComposeError(
      `service "${service.name}" refers to undefined build secret ${source}: invalid compose project`,
    )
  })
}

const inlineName = '.dinghy.Dockerfile'

function buildRequest(
  build: Build,
  name: string,
  options: BuildOptions,
): { query: URLSearchParams; context?: Readable } {
  const query = new URLSearchParams({ version: '1', t: name })
  for (const tag of build.tags) query.append('t', tag)
  const args = Object.fromEntries(
    Object.entries({ ...build.args, ...options.args }).filter(([, value]) => value !== null),
  )
  if (Object.keys(args).length > 0) query.set('buildargs', JSON.stringify(args))
  if (Object.keys(build.labels).length > 0) query.set('labels', JSON.stringify(build.labels))
  if (build.cache_from.length > 0) query.set('cachefrom', JSON.stringify(build.cache_from))
  for (const host of build.extra_hosts) query.append('extrahosts', host)
  if (build.target !== undefined) query.set('target', build.target)
  const limits = Object.entries(build.ulimits ?? {}).map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }))
  if (limits.length > 0) query.set('ulimits', JSON.stringify(limits))
  if (build.network !== undefined) query.set('networkmode', build.network)
  if (build.shm_size !== undefined) query.set('shmsize', String(build.shm_size))
  if (options.noCache || build.no_cache) query.set('nocache', '1')
  if (options.pullBase || build.pull) query.set('pull', '1')
  if (isRemoteContext(build.context)) {
    query.set('remote', build.context)
    query.set('dockerfile', build.dockerfile ?? 'Dockerfile')
    return { query }
  }
  if (!existsSync(build.context) || !statSync(build.context).isDirectory())
    throw new ComposeError(`unable to prepare context: path "${build.context}" not found`)
  const { path, text } = dockerfileOf(build)
  query.set('dockerfile', text === undefined ? path : inlineName)
  const pack = packContext(build.context, path, text === undefined ? {} : { [inlineName]: text })
  return { query, context: Readable.from(pack) }
}

/** The Dockerfile's path inside the context, or its text where it is not in there. */
function dockerfileOf({ context, dockerfile = 'Dockerfile', dockerfile_inline }: Build): {
  path: string
  text?: string
} {
  if (dockerfile_inline !== undefined) return { path: inlineName, text: dockerfile_inline }
  const full = resolve(context, dockerfile)
  if (!existsSync(full)) throw new ComposeError(`failed to read dockerfile: open ${full}: no such file or directory`)
  const path = relative(context, full)
  return path.startsWith('..') ? { path, text: readFileSync(full, 'utf8') } : { path }
}

/** Services that are built, in the order of the file. */
export function builtServices(services: Services): Service[] {
  return Object.values(services).filter(({ build }) => build)
}

/** Names of all images of a project, each once. */
export function imageNames(project: Project): string[] {
  return [...new Set(Object.values(project.services).map((service) => imageName(project, service)))]
}
