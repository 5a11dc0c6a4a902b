/**
 * Bringing a project's containers to where its file wants them, in two steps as upstream: first every container is made
 * (or replaced, or removed), then all are started, each once its dependencies are as far as it asks. So a wrong file
 * stops nothing that runs, and `up --no-start` is the first step alone. The decisions are plan.ts; this carries them
 * out.
 */

import tar from 'tar-stream'
import { Readable } from 'node:stream'
import { ComposeError } from './compose-error.ts'
import {
  anonymousVolumes,
  isUp,
  listContainers,
  type ProjectContainer,
  removeContainer,
  stopContainer,
} from './containers.ts'
import { waitForDependencies } from './dependencies.ts'
import { ensureImages, type ImageOptions } from './images.ts'
import type { Service } from './model.ts'
import { inDependencyOrder } from './order.ts'
import { type Action, numberOf, planService, type Wanted } from './plan.ts'
import { report, step } from './progress.ts'
import { ensureNetworks, ensureVolumes } from './resources.ts'
import { configHash, containerName, createBody, textFiles, usedFiles } from './spec.ts'
import type { ComposeContext, Services } from './verb.ts'

export interface ConvergeOptions extends ImageOptions {
  /** By service; the others' policy is `changed`. */
  recreate?: (service: Service) => Wanted['recreate']
  scale?: Record<string, number>
  /** Give replaced containers new anonymous volumes instead of the old ones. */
  renewVolumes?: boolean
  stopSeconds?: number | undefined
}

type Context = Omit<ComposeContext, 'flags' | 'args'>

/** Makes what is missing and replaces what has changed; starts nothing. */
export async function createContainers(context: Context, services: Services, options: ConvergeOptions): Promise<void> {
  const { scale = {} } = options
  for (const service of Object.values(services)) checkFiles(context, service)
  checkScale(services, scale)
  const images = await ensureImages(context, services, options)
  await ensureNetworks(context, services)
  await ensureVolumes(context, services)
  const observed = await listContainers(context.engine, context.project.name)
  const replaced = new Set<string>()
  await inDependencyOrder(
    services,
    async (service) => {
      const wanted: Wanted = {
        count: scale[service.name] ?? service.replicas,
        hash: configHash(context.project, service),
        imageId: images.get(service.name) ?? '',
        recreate: sharesWith(service, replaced) ? 'always' : (options.recreate?.(service) ?? 'changed'),
      }
      const own = observed.filter((container) => container.service === service.name)
      const actions = planService(wanted, own)
      if (actions.some(({ kind }) => kind === 'recreate')) {
        replaced.add(service.name)
        await stopDependents(context, service, services, observed)
      }
      // What goes makes room first: names, ports.
      const [gone, rest] = [actions.filter(isRemoval), actions.filter((action) => !isRemoval(action))]
      for (const some of [gone, rest])
        await Promise.all(some.map((action) => carryOut(context, service, wanted.imageId, action, options)))
    },
    context.signal,
  )
}

/** Starts whatever of these services is not running, dependencies first. */
export async function startContainers(context: Context, services: Services): Promise<void> {
  const { engine, project } = context
  await inDependencyOrder(
    services,
    async (service, signal) => {
      await waitForDependencies({ ...context, signal }, service)
      signal.throwIfAborted()
      const containers = await listContainers(engine, project.name)
      await Promise.all(
        containers
          .filter((container) => container.service === service.name && !isUp(container))
          .map(({ id, name }) =>
            step(`Container ${name}`, 'Starting', 'Started', () => engine.json('POST', `/containers/${id}/start`)),
          ),
      )
    },
    context.signal,
  )
}

async function carryOut(
  context: Context,
  service: Service,
  imageId: string,
  action: Action<ProjectContainer>,
  options: ConvergeOptions,
): Promise<void> {
  switch (action.kind) {
    case 'keep':
      return keep(context, service, action.container)
    case 'create':
      return create(context, service, containerName(context.project, service, action.number), {
        number: action.number,
        imageId,
      })
    case 'remove': {
      const { id, name } = action.container
      return step(`Container ${name}`, 'Removing', 'Removed', async () => {
        await stopContainer(context.engine, id, options.stopSeconds)
        await removeContainer(context.engine, id)
      })
    }
    case 'recreate':
      return step(`Container ${action.old.name}`, 'Recreating', 'Recreated', () =>
        recreate(context, service, imageId, action, options),
      )
  }
}

function isRemoval({ kind }: Action): boolean {
  return kind === 'remove'
}

async function keep({ engine, project }: Context, service: Service, container: ProjectContainer): Promise<void> {
  const name = containerName(project, service, numberOf(container))
  // A run that was interrupted in the middle of a replacement has left the new one under its passing name.
  if (container.name !== name) await rename(engine, container.id, name)
  if (isUp(container)) report(`Container ${name}`, 'Running')
}

function rename(engine: Context['engine'], id: string, name: string): Promise<void> {
  return engine.json('POST', `/containers/${id}/rename?name=${encodeURIComponent(name)}`)
}

// The new container is made under a name of its own before the old one is touched: if it cannot be, the old one stays.
async function recreate(
  context: Context,
  service: Service,
  imageId: string,
  { number, old }: { number: number; old: ProjectContainer },
  { renewVolumes = false, stopSeconds }: ConvergeOptions,
): Promise<void> {
  const { engine, project } = context
  const inherited = renewVolumes ? {} : await anonymousVolumes(engine, old.id)
  const passing = `${old.id.slice(0, 12)}_${old.name}`
  const id = await createContainer(context, service, passing, { number, imageId, inherited })
  await stopContainer(engine, old.id, stopSeconds)
  await removeContainer(engine, old.id)
  await rename(engine, id, containerName(project, service, number))
}

function create(
  context: Context,
  service: Service,
  name: string,
  options: Parameters<typeof createBody>[2],
): Promise<void> {
  return step(`Container ${name}`, 'Creating', 'Created', async () => {
    await createContainer(context, service, name, options)
  })
}

/** Also what `compose run` uses. Returns the container's id. */
export async function createContainer(
  { engine, project }: Context,
  service: Service,
  name: string,
  options: Parameters<typeof createBody>[2],
): Promise<string> {
  const query = new URLSearchParams({ name, ...(service.platform !== undefined ? { platform: service.platform } : {}) })
  const body = createBody(project, service, options)
  const { Id } = await engine.json<{ Id: string }>('POST', `/containers/create?${query}`, { body })
  try {
    await putFiles(engine, Id, textFiles(project, service))
  } catch (error) {
    await removeContainer(engine, Id)
    throw error
  }
  return Id
}

async function putFiles(engine: Context['engine'], id: string, files: ReturnType<typeof textFiles>): Promise<void> {
  for (const { reference, text } of files) {
    const { target, mode = 0o444, uid, gid } = reference
    const pack = tar.pack()
    pack.entry({ name: target.slice(1), mode, uid: Number(uid ?? 0), gid: Number(gid ?? 0) }, text)
    pack.finalize()
    // As compose asks for it: the engine then gives the file to the user of the container, if it has one.
    const query = { path: '/', ...(uid !== undefined || gid !== undefined ? { copyUIDGID: true } : {}) }
    const answer = await engine.request('PUT', `/containers/${id}/archive`, { query, body: Readable.from(pack) })
    answer.body.resume()
  }
}

function checkFiles({ project }: Context, service: Service): void {
  for (const { kind, reference, source } of usedFiles(project, service)) {
    const what = `${kind.slice(0, -1)} ${reference.source} of service "${service.name}"`
    if (source.external) throw new ComposeError(`unsupported external ${what}`)
    if (source.file !== undefined) continue
    if (source.content === undefined)
      throw new ComposeError(`${what} has no content: ${source.environment ?? 'file'} is not set`)
    // It is written into the container's file system, so there has to be one that can be written to.
    if (service.settings['read_only'] === true)
      throw new ComposeError(`cannot put ${what} into a read-only service: only \`file\` is possible there`)
  }
}

function checkScale(services: Services, scale: Record<string, number>): void {
  for (const [name, count] of Object.entries(scale)) {
    const service = services[name]
    if (!service) throw new ComposeError(`no such service: ${name}`)
    if (service.container_name !== undefined && count > 1) {
      throw new ComposeError(
        `the "${name}" service is using the custom container name "${service.container_name}": docker requires each container to have a unique name, remove the custom name to scale the service`,
      )
    }
  }
}

/** A container that lives in another's namespace, or has its volumes, has to be made anew when that one is. */
function sharesWith({ network_mode, ipc, pid, volumes_from }: Service, replaced: Set<string>): boolean {
  const modes = [network_mode, ipc, pid].flatMap((mode) => /^service:(.+)$/.exec(mode ?? '')?.[1] ?? [])
  return [...modes, ...volumes_from.map((from) => from.split(':')[0] ?? '')].some((name) => replaced.has(name))
}

/** `depends_on.restart`: they stop with what they depend on, and the second step starts them again. */
async function stopDependents(
  { engine }: Context,
  { name }: Service,
  services: Services,
  observed: ProjectContainer[],
): Promise<void> {
  const dependents = observed.filter(
    (container) => services[container.service]?.depends_on[name]?.restart && isUp(container),
  )
  await Promise.all(
    dependents.map((container) =>
      step(`Container ${container.name}`, 'Stopping', 'Stopped', () => stopContainer(engine, container.id)),
    ),
  )
}
