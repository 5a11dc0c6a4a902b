// `compose down`: containers and networks go; named volumes stay unless -v says otherwise; --rmi removes images.

import { UsageError } from '../../commands/command.ts'
import { EngineError } from '../../docker/engine.ts'
import { listContainers, removeContainer, stopContainer } from '../containers.ts'
import { startOrder } from '../load/project.ts'
import { step } from '../progress.ts'
import { imageName } from '../spec.ts'
import type { ComposeContext, ComposeVerb } from '../verb.ts'

export const down: ComposeVerb = {
  usage: 'down [-v] [-t SECONDS] [--rmi all|local] [--remove-orphans]',
  flags: {
    volumes: { type: 'boolean', short: 'v' },
    timeout: { type: 'string', short: 't' },
    rmi: { type: 'string' },
    'remove-orphans': { type: 'boolean' },
  },
  async run(context) {
    const { engine, project, flags } = context
    const { rmi } = flags
    if (rmi !== undefined && rmi !== 'all' && rmi !== 'local') throw new UsageError('--rmi takes all or local')
    await removeContainers(context)
    for (const { name, external } of Object.values(project.networks)) {
      if (!external) await removeIfThere(context, 'Network', name, `/networks/${encodeURIComponent(name)}`)
    }
    for (const { name, external } of flags['volumes'] ? Object.values(project.volumes) : []) {
      if (!external) await removeIfThere(context, 'Volume', name, `/volumes/${encodeURIComponent(name)}`)
    }
    for (const service of rmi === undefined ? [] : Object.values(project.services)) {
      if (rmi === 'local' && service.image !== undefined) continue
      await removeIfThere({ engine }, 'Image', imageName(project, service), `/images/${imageName(project, service)}`)
    }
    return 0
  },
}

// Whoever depends on others stops before them.
async function removeContainers({ engine, project, flags }: ComposeContext): Promise<void> {
  const containers = await listContainers(engine, project.name, { oneOff: true })
  const levels = startOrder(project.services).map((level) => new Set(level.map(({ name }) => name)))
  const orphans = containers.filter(({ service }) => !(service in project.services))
  const ordered = levels.toReversed().map((level) => containers.filter(({ service }) => level.has(service)))
  const timeout = flags['timeout'] === undefined ? undefined : Number(flags['timeout'])
  for (const group of [flags['remove-orphans'] ? orphans : [], ...ordered]) {
    await Promise.all(
      group.map(({ id, name }) =>
        step(`Container ${name}`, 'Stopping', 'Removed', async () => {
          await stopContainer(engine, id, timeout)
          await removeContainer(engine, id, flags['volumes'] === true)
        }),
      ),
    )
  }
}

async function removeIfThere(
  { engine }: Pick<ComposeContext, 'engine'>,
  kind: string,
  name: string,
  path: string,
): Promise<void> {
  try {
    await engine.json('DELETE', path)
    console.error(` \u2714 ${`${kind} ${name}`.padEnd(36)} Removed`)
  } catch (error) {
    // Never created, or already gone.
    if (!(error instanceof EngineError) || error.status !== 404) throw error
  }
}
