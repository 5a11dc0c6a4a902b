/** POST /commit: a container's changes on top of its image, as a new image. */
import type { Clock } from '@dinghy/shared/api/clock'
import type { Container } from '../containers/container.ts'
import type { Containers } from '../containers/containers.ts'
import type { EventBus } from '../events.ts'
import type { Driver } from '../drivers/driver.ts'
import { DockerfileError } from '@dinghy/builder/dockerfile/parse'
import type { ImageStore } from '@dinghy/images/store/image-store'
import { applyChanges } from '@dinghy/builder/apply-changes'
import { diffLayer } from '@dinghy/images/layers/layer-diff'
import type { Layer } from '@dinghy/images/layers/layer-store'
import type { RunConfig } from '@dinghy/images/content/oci'
import { runConfigShape } from './body-shape.ts'
import { badParameter } from '@dinghy/shared/docker/errors'
import { referenceOr400 } from './images.ts'
import type { Router } from './router.ts'
import { isTrue, sendJson } from './request.ts'
import { formatMs } from '../timestamps.ts'

export interface CommitDeps {
  images: ImageStore
  containers: Pick<Containers, 'get' | 'files'>
  driver: Driver
  events: EventBus
  clock: Clock
}

export function commitRoutes(router: Router, deps: CommitDeps): void {
  const { images, containers, events, clock } = deps

  router.add('POST', '/commit', async (request, reply) => {
    const { query, signal } = request
    const container = containers.get(query.get('container') ?? '')
    const repo = query.get('repo') ?? ''
    const tag = query.get('tag') ?? ''
    const reference = repo === '' ? undefined : referenceOr400(repo + (tag === '' ? '' : `:${tag}`))
    const given = await request.json<RunConfig>(runConfigShape)
    const config = changed({ ...imageConfig(container), ...withoutEmpty(given) }, query.getAll('changes'))

    const pause = query.get('pause') === null || isTrue(query.get('pause'))
    const layer = await commitLayer(container, pause, deps, signal)
    const base = await images.resolve(container.record.imageId)
    const created = formatMs(clock.now())
    const author = query.get('author') ?? ''
    const comment = query.get('comment') ?? ''
    const createdBy = (container.record.config.Cmd ?? []).join(' ')
    const { id } = await images.create(
      {
        ...base.config,
        created,
        ...(author !== '' ? { author } : {}),
        config,
        rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, layer.diffId] },
        history: [
          ...(base.config.history ?? []),
          {
            created,
            created_by: createdBy,
            ...(author !== '' ? { author } : {}),
            ...(comment !== '' ? { comment } : {}),
          },
        ],
      },
      { parent: base.id },
    )
    if (reference) await images.tag(id, reference)
    events.publish('container', 'commit', container.id, { comment, imageID: id, imageRef: repo, name: container.name })
    sendJson(reply, 201, { Id: id })
  })
}

async function commitLayer(
  container: Container,
  pause: boolean,
  deps: CommitDeps,
  signal: AbortSignal,
): Promise<Layer> {
  const { driver, images } = deps
  const { files } = deps.containers
  const { state, spec } = container
  // Files that change while they are read would make a layer of no moment at all.
  const paused =
    pause && state.status === 'running' && state.running && spec ? { running: state.running, spec } : undefined
  if (paused) await driver.pause(paused.running, paused.spec)
  try {
    const changes = await files.changes(container)
    const tar = diffLayer(changes, (path) => files.pathIn(container, path), signal)
    return await images.layers.add(tar, signal)
  } finally {
    if (paused) await driver.resume(paused.running, paused.spec)
  }
}

/** Of a container's config, what an image keeps. */
function imageConfig({ record: { config } }: Container): RunConfig {
  const { User, ExposedPorts, Env, Cmd, Entrypoint, Volumes, WorkingDir, Labels, StopSignal, Healthcheck, Shell } =
    config
  return withoutEmpty({
    User,
    ExposedPorts,
    Env,
    Cmd,
    Entrypoint,
    Volumes,
    WorkingDir,
    Labels,
    StopSignal,
    Healthcheck,
    Shell,
  })
}

function withoutEmpty(config: { [K in keyof RunConfig]: RunConfig[K] | undefined }): RunConfig {
  const kept = Object.entries(config).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return Object.fromEntries(kept)
}

function changed(config: RunConfig, changes: readonly string[]): RunConfig {
  try {
    return applyChanges(config, changes)
  } catch (error) {
    if (error instanceof DockerfileError) throw badParameter(error.message)
    throw error
  }
}
