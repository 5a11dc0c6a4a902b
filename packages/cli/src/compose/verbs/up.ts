// `compose up`: the project as the file has it; in the foreground its output, until Ctrl-C stops it.

import { UsageError, several } from '../../commands/command.ts'
import { listContainers, removeContainer, stopContainer } from '../containers.ts'
import { converge } from '../converge.ts'
import { report, step } from '../progress.ts'
import { followLogs } from '../log-stream.ts'
import { type ComposeContext, type ComposeVerb, withDependencies } from '../verb.ts'

export const up: ComposeVerb = {
  usage:
    'up [-d] [--build] [--force-recreate] [--no-recreate] [--no-start] [--scale SERVICE=N] [--remove-orphans] [SERVICE…]',
  flags: {
    detach: { type: 'boolean', short: 'd' },
    build: { type: 'boolean' },
    'force-recreate': { type: 'boolean' },
    'no-recreate': { type: 'boolean' },
    'no-start': { type: 'boolean' },
    'remove-orphans': { type: 'boolean' },
    scale: { type: 'string', multiple: true },
  },
  async run(context) {
    const { engine, project, flags, args } = context
    const services = withDependencies(project, args)
    await dealWithOrphans(context)
    await converge(engine, project, services, {
      build: flags['build'] === true,
      forceRecreate: flags['force-recreate'] === true,
      noRecreate: flags['no-recreate'] === true,
      noStart: flags['no-start'] === true,
      scale: scales(several(flags, 'scale')),
    })
    if (flags['detach'] || flags['no-start']) return 0
    return inForeground(context, Object.keys(services))
  },
}

async function inForeground({ engine, project }: ComposeContext, names: string[]): Promise<number> {
  const containers = (await listContainers(engine, project.name)).filter(({ service }) => names.includes(service))
  process.once('SIGINT', () => {
    console.error('Gracefully stopping... (press Ctrl+C again to force)')
    process.once('SIGINT', () => process.exit(130))
    void Promise.all(
      containers.map(({ id, name }) =>
        step(`Container ${name}`, 'Stopping', 'Stopped', () => stopContainer(engine, id)),
      ),
    )
  })
  await followLogs(engine, containers, { follow: true, tail: 'all', timestamps: false })
  return 0
}

async function dealWithOrphans({ engine, project, flags }: ComposeContext): Promise<void> {
  const orphans = (await listContainers(engine, project.name)).filter(({ service }) => !(service in project.services))
  if (orphans.length === 0) return
  if (!flags['remove-orphans']) {
    const names = orphans.map(({ name }) => name).join(', ')
    console.error(`warning: Found orphan containers (${names}) for this project; --remove-orphans removes them`)
    return
  }
  for (const { id, name } of orphans) {
    await stopContainer(engine, id)
    await removeContainer(engine, id)
    report(`Container ${name}`, 'Removed')
  }
}

function scales(words: string[]): Record<string, number> {
  return Object.fromEntries(
    words.map((word) => {
      const [, name, count] = /^([^=]+)=(\d+)$/.exec(word) ?? []
      if (name === undefined) throw new UsageError(`--scale takes SERVICE=NUMBER, not "${word}"`)
      return [name, Number(count)]
    }),
  )
}
