/**
 * Waiting until what a service depends on is as far as `depends_on` asks.
 */

import { ComposeError } from './compose-error.ts'
import { inspectContainer, type InspectedContainer, listContainers } from './containers.ts'
import type { DependencyCondition, Service } from './model.ts'
import { step } from './progress.ts'
import type { ComposeContext } from './verb.ts'

type Context = Pick<ComposeContext, 'engine' | 'project' | 'clock' | 'signal'>

const pollMs = 100

/** Throws when a dependency can no longer get there, unless it is not required. */
export async function waitForDependencies(context: Context, service: Service): Promise<void> {
  const containers = await listContainers(context.engine, context.project.name)
  await Promise.all(
    Object.entries(service.depends_on).map(async ([name, { condition }]) => {
      if (condition === 'service_started') return
      const own = containers.filter((container) => container.service === name)
      await Promise.all(own.map((container) => waitFor(context, container, condition)))
    }),
  )
}

/** Until one container has come as far as `condition` asks. */
export async function waitFor(
  { engine, clock, signal }: Context,
  { id, name }: { id: string; name: string },
  condition: DependencyCondition,
): Promise<void> {
  await step(`Container ${name}`, 'Waiting', reached[condition], async () => {
    for (;;) {
      const { State } = await inspectContainer(engine, id)
      if (dependencyProgress(name, State, condition) === 'reached') return
      await clock.sleep(pollMs, signal)
    }
  })
}

const reached = { service_started: 'Started', service_healthy: 'Healthy', service_completed_successfully: 'Exited' }

/** Has a container come as far as `condition` asks? Throws when it never will. Pure. */
export function dependencyProgress(
  name: string,
  state: InspectedContainer['State'],
  condition: DependencyCondition,
): 'reached' | 'waiting' {
  const exited = state.Status === 'exited' || state.Status === 'dead'
  if (condition === 'service_completed_successfully') {
    if (!exited) return 'waiting'
    if (state.ExitCode === 0) return 'reached'
    throw new ComposeError(`service "${name}" didn't complete successfully: exit ${state.ExitCode}`)
  }
  if (exited) throw new ComposeError(`dependency failed to start: container ${name} exited (${state.ExitCode})`)
  if (condition === 'service_started') return state.Status === 'running' ? 'reached' : 'waiting'
  const health = state.Health?.Status ?? 'none'
  if (health === 'none')
    throw new ComposeError(`dependency failed to start: container ${name} has no healthcheck configured`)
  if (health === 'unhealthy') throw new ComposeError(`dependency failed to start: container ${name} is unhealthy`)
  return health === 'healthy' ? 'reached' : 'waiting'
}
