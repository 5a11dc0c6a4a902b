// `compose start`, `stop` and `restart`: existing containers, in the order of their dependencies.

import { listContainers, type ProjectContainer, stopContainer } from '../containers.ts'
import { ComposeError } from '../load/normalize.ts'
import { startOrder } from '../load/project.ts'
import { step } from '../progress.ts'
import { chosenServices, type ComposeContext, type ComposeVerb } from '../verb.ts'
import { waitForDependencies } from '../converge.ts'

export const start: ComposeVerb = {
  usage: 'start [SERVICE…]',
  async run(context) {
    const { engine, project } = context
    for (const level of await levelsOf(context)) {
      await Promise.all(
        level.map(async ({ id, name, service }) => {
          const definition = project.services[service]
          if (definition) await waitForDependencies(engine, project, definition)
          await step(`Container ${name}`, 'Starting', 'Started', () => engine.json('POST', `/containers/${id}/start`))
        }),
      )
    }
    return 0
  },
}

export const stop: ComposeVerb = {
  usage: 'stop [-t SECONDS] [SERVICE…]',
  flags: { timeout: { type: 'string', short: 't' } },
  async run(context) {
    const timeout = context.flags['timeout'] === undefined ? undefined : Number(context.flags['timeout'])
    for (const level of (await levelsOf(context)).toReversed()) {
      await Promise.all(
        level.map(({ id, name }) =>
          step(`Container ${name}`, 'Stopping', 'Stopped', () => stopContainer(context.engine, id, timeout)),
        ),
      )
    }
    return 0
  },
}

export const restart: ComposeVerb = {
  usage: 'restart [-t SECONDS] [SERVICE…]',
  flags: { timeout: { type: 'string', short: 't' } },
  async run(context) {
    const grace = context.flags['timeout'] === undefined ? '' : `?t=${Number(context.flags['timeout'])}`
    for (const level of await levelsOf(context)) {
      await Promise.all(
        level.map(({ id, name }) =>
          step(`Container ${name}`, 'Restarting', 'Started', () =>
            context.engine.json('POST', `/containers/${id}/restart${grace}`),
          ),
        ),
      )
    }
    return 0
  },
}

/** The chosen services' containers, those that others depend on first. */
async function levelsOf({ engine, project, args }: ComposeContext): Promise<ProjectContainer[][]> {
  const chosen = new Set(chosenServices(project, args).map(({ name }) => name))
  const containers = (await listContainers(engine, project.name)).filter(({ service }) => chosen.has(service))
  for (const name of args) {
    if (!containers.some(({ service }) => service === name))
      throw new ComposeError(`service "${name}" has no container to start`)
  }
  return startOrder(project.services).map((level) =>
    containers.filter(({ service }) => level.some(({ name }) => name === service)),
  )
}
