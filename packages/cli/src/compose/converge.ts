// Bringing a service's containers to where the file wants them: `up`, level by level of the dependencies.
// The decisions are plan.ts; this carries them out.

import { systemClock } from '@dinghy/shared/api/clock'
import type { Engine } from '../docker/engine.ts'
import { listContainers, removeContainer, stopContainer } from './containers.ts'
import { ComposeError } from './load/normalize.ts'
import { startOrder } from './load/project.ts'
import type { DependencyCondition, Project, Service } from './model.ts'
import { type Action, planService } from './plan.ts'
import { report, step } from './progress.ts'
import { ensureImage, ensureNetworks, ensureVolumes, materializeFiles } from './resources.ts'
import { containerName, createBody, type FilePaths } from './spec.ts'

export interface UpOptions {
  build?: boolean
  forceRecreate?: boolean
  noRecreate?: boolean
  scale: Record<string, number>
  /** Create only. */
  noStart?: boolean
}

const healthPollMs = 100

export async function converge(
  engine: Engine,
  project: Project,
  services: Record<string, Service>,
  options: UpOptions,
): Promise<void> {
  const all = Object.values(services)
  for (const name of Object.keys(options.scale)) {
    const service = services[name]
    if (!service) throw new ComposeError(`no such service: ${name}`)
    if (service.container_name !== undefined && (options.scale[name] ?? 1) > 1) {
      throw new ComposeError(`the "${name}" service has a container_name and so cannot be scaled`)
    }
  }
  const files = materializeFiles(project)
  const images = await imagesOf(engine, project, all, options)
  await ensureNetworks(engine, project, all)
  await ensureVolumes(engine, project, all)
  for (const level of startOrder(services)) {
    await Promise.all(
      level.map((service) => convergeService(engine, project, service, images.get(service.name) ?? '', files, options)),
    )
  }
}

// Two services may share an image: it is built or pulled once.
async function imagesOf(
  engine: Engine,
  project: Project,
  services: Service[],
  options: UpOptions,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  for (const service of services) ids.set(service.name, await ensureImage(engine, project, service, options))
  return ids
}

async function convergeService(
  engine: Engine,
  project: Project,
  service: Service,
  imageId: string,
  files: FilePaths,
  options: UpOptions,
): Promise<void> {
  if (!options.noStart) await waitForDependencies(engine, project, service)
  const observed = (await listContainers(engine, project.name)).filter(
    (container) => container.service === service.name,
  )
  const scale = options.scale[service.name]
  const plan = planService(service, imageId, observed, {
    ...options,
    ...(scale !== undefined && { scale }),
  } as Parameters<typeof planService>[3])
  await Promise.all(plan.map((action) => carryOut(engine, project, service, imageId, files, action, options)))
}

async function carryOut(
  engine: Engine,
  project: Project,
  service: Service,
  imageId: string,
  files: FilePaths,
  action: Action,
  options: UpOptions,
): Promise<void> {
  switch (action.kind) {
    case 'keep':
      return report(`Container ${action.container.name}`, 'Running')
    case 'remove':
      return step(`Container ${action.container.name}`, 'Removing', 'Removed', async () => {
        await stopContainer(engine, action.container.id, service.stop_grace_period)
        await removeContainer(engine, action.container.id)
      })
    case 'start':
      return options.noStart ? undefined : start(engine, action.container.name, action.container.id)
    case 'recreate':
      await step(`Container ${action.old.name}`, 'Recreate', 'Removed', async () => {
        await stopContainer(engine, action.old.id, service.stop_grace_period)
        await removeContainer(engine, action.old.id)
      })
      return create(engine, project, service, imageId, files, action.number, options)
    case 'create':
      return create(engine, project, service, imageId, files, action.number, options)
  }
}

async function create(
  engine: Engine,
  project: Project,
  service: Service,
  imageId: string,
  files: FilePaths,
  number: number,
  options: UpOptions,
): Promise<void> {
  const name = containerName(project, service, number)
  const body = createBody(project, service, { number, imageId, files })
  const { Id } = await step(`Container ${name}`, 'Creating', 'Created', () =>
    engine.json<{ Id: string }>('POST', `/containers/create?name=${encodeURIComponent(name)}`, body),
  )
  if (!options.noStart) await start(engine, name, Id)
}

function start(engine: Engine, name: string, id: string): Promise<void> {
  return step(`Container ${name}`, 'Starting', 'Started', () => engine.json('POST', `/containers/${id}/start`))
}

/** Waits until each dependency is as far as `depends_on` asks; throws when it can no longer get there. */
export async function waitForDependencies(engine: Engine, project: Project, service: Service): Promise<void> {
  await Promise.all(
    Object.entries(service.depends_on).map(async ([name, { condition }]) => {
      if (condition === 'service_started') return
      const containers = (await listContainers(engine, project.name)).filter((container) => container.service === name)
      await Promise.all(
        containers.map(({ id, name: container }) =>
          step(`Container ${container}`, 'Waiting', doneWord[condition], () => reach(engine, id, container, condition)),
        ),
      )
    }),
  )
}

const doneWord = { service_started: 'Started', service_healthy: 'Healthy', service_completed_successfully: 'Exited' }

interface State {
  Status: string
  ExitCode: number
  Health?: { Status: string }
}

async function reach(engine: Engine, id: string, name: string, condition: DependencyCondition): Promise<void> {
  for (;;) {
    const { State } = await engine.json<{ State: State }>('GET', `/containers/${id}/json`)
    const progress = dependencyProgress(name, State, condition)
    if (progress === 'reached') return
    await systemClock.sleep(healthPollMs, new AbortController().signal)
  }
}

/** Pure: has a container come as far as `condition` asks? Throws when it never will. */
export function dependencyProgress(name: string, state: State, condition: DependencyCondition): 'reached' | 'waiting' {
  const exited = state.Status === 'exited' || state.Status === 'dead'
  if (condition === 'service_completed_successfully') {
    if (!exited) return 'waiting'
    if (state.ExitCode === 0) return 'reached'
    throw new ComposeError(`service "${name}" didn't complete successfully: exit ${state.ExitCode}`)
  }
  if (exited) throw new ComposeError(`dependency failed to start: container ${name} exited (${state.ExitCode})`)
  if (condition === 'service_started') return 'reached'
  if (!state.Health || state.Health.Status === 'none')
    throw new ComposeError(`dependency failed to start: container ${name} has no healthcheck configured`)
  if (state.Health.Status === 'unhealthy')
    throw new ComposeError(`dependency failed to start: container ${name} is unhealthy`)
  return state.Health.Status === 'healthy' ? 'reached' : 'waiting'
}
