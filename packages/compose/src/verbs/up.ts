/**
 * `compose up`: the project as the file has it; in the foreground its output, until Ctrl-C stops it.
 * `compose create` is its first half.
 */

import { type Flags, several, UsageError } from '@dinghy/clients/command-line/command'
import { listContainers, removeContainer, stopContainer } from '../containers.ts'
import { type ConvergeOptions, createContainers, startContainers } from '../converge.ts'
import { waitFor } from '../dependencies.ts'
import { runInForeground } from '../foreground.ts'
import { step } from '../progress.ts'
import {
  chosenServices,
  type ComposeContext,
  type ComposeVerb,
  numberFlag,
  serviceNamed,
  type Services,
  withDependencies,
} from '../verb.ts'

const createFlags = {
  build: { type: 'boolean' },
  'no-build': { type: 'boolean' },
  'quiet-pull': { type: 'boolean' },
  pull: { type: 'string' },
  'force-recreate': { type: 'boolean' },
  'no-recreate': { type: 'boolean' },
  'always-recreate-deps': { type: 'boolean' },
  'remove-orphans': { type: 'boolean' },
  'renew-anon-volumes': { type: 'boolean', short: 'V' },
  scale: { type: 'string', multiple: true },
} as const

export const create: ComposeVerb = {
  usage:
    'create [--build|--no-build] [--pull POLICY] [--force-recreate|--no-recreate] [--scale SERVICE=N] [--remove-orphans] [SERVICE…]',
  flags: createFlags,
  async run(context) {
    const services = withDependencies(context.project, context.args)
    await dealWithOrphans(context)
    await createContainers(context, services, convergeOptions(context.flags, context.args))
    return 0
  },
}

export const up: ComposeVerb = {
  usage:
    'up [-d] [--wait] [--build|--no-build] [--pull POLICY] [--force-recreate|--no-recreate] [-V] [--no-deps] [--no-start] [--scale SERVICE=N] [-t SECONDS] [--remove-orphans] [--attach SERVICE] [--no-attach SERVICE] [--no-log-prefix] [--timestamps] [--abort-on-container-exit] [--exit-code-from SERVICE] [SERVICE…]',
  flags: {
    ...createFlags,
    detach: { type: 'boolean', short: 'd' },
    wait: { type: 'boolean' },
    'no-deps': { type: 'boolean' },
    'no-start': { type: 'boolean' },
    timeout: { type: 'string', short: 't' },
    attach: { type: 'string', multiple: true },
    'no-attach': { type: 'string', multiple: true },
    'no-color': { type: 'boolean' },
    'no-log-prefix': { type: 'boolean' },
    timestamps: { type: 'boolean' },
    'abort-on-container-exit': { type: 'boolean' },
    'exit-code-from': { type: 'string' },
  },
  async run(context) {
    const { project, flags, args } = context
    const services = flags['no-deps'] ? alone(chosenServices(project, args)) : withDependencies(project, args)
    await dealWithOrphans(context)
    await createContainers(context, services, convergeOptions(flags, args))
    if (flags['no-start']) return 0
    if (!flags['detach'] && !flags['wait']) return inForeground(context, services)
    await startContainers(context, services)
    if (flags['wait']) await waitForAll(context, services)
    return 0
  },
}

/** Services without what they depend on: whatever of that is not there is not waited for. */
function alone(services: Services): Services {
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, { ...service, depends_on: {} }]))
}

function convergeOptions(flags: Flags, args: string[]): ConvergeOptions {
  if (flags['force-recreate'] && flags['no-recreate'])
    throw new UsageError('--force-recreate and --no-recreate are incompatible')
  const pull = flags['pull'] as string | undefined
  if (pull !== undefined && !['always', 'missing', 'never', 'build'].includes(pull))
    throw new UsageError('--pull takes always, missing, never or build')
  return {
    build: flags['build'] === true,
    noBuild: flags['no-build'] === true,
    pullPolicy: pull,
    renewVolumes: flags['renew-anon-volumes'] === true,
    stopSeconds: numberFlag(flags, 'timeout'),
    scale: scales(several(flags, 'scale')),
    recreate: ({ name }) => {
      if (flags['no-recreate']) return 'never'
      // Dependencies are only brought along: forcing is meant for what was named.
      const isMeant = args.length === 0 || args.includes(name)
      return (isMeant ? flags['force-recreate'] : flags['always-recreate-deps']) ? 'always' : 'changed'
    },
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

async function dealWithOrphans({ engine, project, flags }: ComposeContext): Promise<void> {
  const known = new Set([...Object.keys(project.services), ...project.disabled])
  const orphans = (await listContainers(engine, project.name)).filter(({ service }) => !known.has(service))
  if (orphans.length === 0) return
  if (!flags['remove-orphans']) {
    const names = orphans.map(({ name }) => name).join(' ')
    console.error(
      `warning: Found orphan containers ([${names}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.`,
    )
    return
  }
  await Promise.all(
    orphans.map(({ id, name }) =>
      step(`Container ${name}`, 'Removing', 'Removed', async () => {
        await stopContainer(engine, id)
        await removeContainer(engine, id)
      }),
    ),
  )
}

/** `--wait`: until everything is healthy, or running where nothing says what healthy is. */
async function waitForAll(context: ComposeContext, services: Services): Promise<void> {
  const containers = (await listContainers(context.engine, context.project.name)).filter(
    ({ service }) => services[service],
  )
  await Promise.all(
    containers.map(({ id, name, service }) => {
      const { healthcheck } = services[service] ?? {}
      const isChecked = healthcheck !== undefined && healthcheck.test[0] !== 'NONE'
      return waitFor(context, { id, name }, isChecked ? 'service_healthy' : 'service_started')
    }),
  )
}

async function inForeground(context: ComposeContext, services: Services): Promise<number> {
  const { flags } = context
  const exitCodeFrom = flags['exit-code-from'] as string | undefined
  if (exitCodeFrom !== undefined) serviceNamed(services, exitCodeFrom)
  return runInForeground(context, services, {
    attached: attachedServices(flags, services),
    timestamps: flags['timestamps'] === true,
    prefix: !flags['no-log-prefix'],
    stopSeconds: numberFlag(flags, 'timeout'),
    endsWith: ({ service }) =>
      exitCodeFrom === undefined ? flags['abort-on-container-exit'] === true : service === exitCodeFrom,
  })
}

function attachedServices(flags: Flags, services: Services): Set<string> {
  const only = several(flags, 'attach')
  const without = several(flags, 'no-attach')
  const names = Object.values(services).filter(({ attach }) => attach)
  return new Set(
    (only.length > 0 ? only : names.map(({ name }) => name)).filter(
      (name) => services[name] && !without.includes(name),
    ),
  )
}
