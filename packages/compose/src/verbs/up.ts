/**
 * `compose up`: the project as the file has it; in the foreground its output, until Ctrl-C stops it.
 * `compose create` is its first half.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { type Flags, several } from '@dinghy/clients/command-line/verbs'
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
  build: { type: 'boolean', help: 'build images first' },
  'no-build': { type: 'boolean', help: 'never build, even if an image is missing' },
  'quiet-pull': { type: 'boolean', help: 'no progress while images are pulled' },
  pull: { type: 'string', value: 'policy', help: 'always, missing or never' },
  'force-recreate': { type: 'boolean', help: 'replace containers that have not changed' },
  'no-recreate': { type: 'boolean', help: 'keep containers that have changed' },
  'always-recreate-deps': { type: 'boolean', help: 'replace also what they depend on' },
  'remove-orphans': { type: 'boolean', help: 'remove containers of services that are not in the file' },
  'renew-anon-volumes': { type: 'boolean', short: 'V', help: 'replace containers, with new anonymous volumes' },
  scale: { type: 'string', multiple: true, value: 'service=n', help: 'how many containers a service has' },
} as const

export const create: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Make containers without starting them.',
  flags: createFlags,
  async run(context) {
    const services = withDependencies(context.project, context.args)
    await dealWithOrphans(context)
    await createContainers(context, services, convergeOptions(context.flags, context.args))
    return 0
  },
}

export const up: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Make and start the containers of services.',
  flags: {
    ...createFlags,
    detach: { type: 'boolean', short: 'd', help: 'leave the containers running in the background' },
    wait: { type: 'boolean', help: 'return when the services are healthy' },
    'no-deps': { type: 'boolean', help: 'not what it depends on' },
    'no-start': { type: 'boolean', help: 'only make the containers' },
    timeout: { type: 'string', short: 't', value: 'seconds', help: 'what a container may take to stop' },
    attach: { type: 'string', multiple: true, value: 'service', help: 'show only the output of these services' },
    'no-attach': { type: 'string', multiple: true, value: 'service', help: 'do not show the output of this service' },
    'no-color': { type: 'boolean', help: 'without colours' },
    'no-log-prefix': { type: 'boolean', help: 'without the names of the containers' },
    timestamps: { type: 'boolean', help: 'put its time before each line' },
    'abort-on-container-exit': { type: 'boolean', help: 'stop everything when one container ends' },
    'abort-on-container-failure': { type: 'boolean', help: 'stop everything when one container fails' },
    'exit-code-from': { type: 'string', value: 'service', help: 'end with the exit code of this service' },
  },
  async run(context) {
    const { project, flags, args } = context
    checkFlags(flags)
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

/** Flags of the foreground, where nothing stays in the foreground. */
function checkFlags(flags: Flags): void {
  const aborting = ['abort-on-container-exit', 'abort-on-container-failure'].filter((name) => flags[name])
  if (aborting.length > 1) throw new UsageError(`--${aborting.join(' and --')} are incompatible`)
  const [first] = [...aborting, ...(flags['exit-code-from'] === undefined ? [] : ['exit-code-from'])]
  const background = ['detach', 'wait', 'no-start'].find((name) => flags[name])
  if (first !== undefined && background !== undefined)
    throw new UsageError(`--${first} and --${background} are incompatible`)
}

/** Services without what they depend on: whatever of that is not there is not waited for. */
function alone(services: Services): Services {
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, { ...service, depends_on: {} }]))
}

function convergeOptions(flags: Flags, args: string[]): ConvergeOptions {
  if (flags['force-recreate'] && flags['no-recreate'])
    throw new UsageError('--force-recreate and --no-recreate are incompatible')
  if (flags['renew-anon-volumes'] && flags['no-recreate'])
    throw new UsageError('--renew-anon-volumes and --no-recreate are incompatible')
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
      // Only a new container gets new volumes.
      const force = flags['force-recreate'] || flags['renew-anon-volumes']
      // Dependencies are only brought along: forcing is meant for what was named.
      const isMeant = args.length === 0 || args.includes(name)
      return (isMeant ? force : flags['always-recreate-deps']) ? 'always' : 'changed'
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
    abortOn: flags['abort-on-container-failure']
      ? 'failure'
      : flags['abort-on-container-exit'] || exitCodeFrom !== undefined
        ? 'exit'
        : 'nothing',
    exitCodeFrom,
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
