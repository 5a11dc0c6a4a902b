/**
 * Verbs that act on containers which are there: start, stop, restart, pause, unpause, kill and rm.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { ComposeError } from '../compose-error.ts'
import { isUp, listContainers, type ProjectContainer, removeContainer, stopContainer } from '../containers.ts'
import { waitForDependencies } from '../dependencies.ts'
import { inDependencyOrder, inReverseOrder } from '../order.ts'
import { step } from '../progress.ts'
import { chosenServices, type ComposeContext, type ComposeVerb, numberFlag, type Services } from '../verb.ts'

const timeout = {
  timeout: { type: 'string', short: 't', value: 'seconds', help: 'what a container may take to stop' },
} as const

export const start: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Start containers that are there.',
  worksWithoutFile: true,
  async run(context) {
    const { engine } = context
    await eachService(context, async (containers, service, signal) => {
      if (containers.length === 0 && context.args.includes(service.name))
        throw new ComposeError(`service "${service.name}" has no container to start`)
      await waitForDependencies({ ...context, signal }, service)
      await eachOf(containers, 'Starting', 'Started', (id) => engine.json('POST', `/containers/${id}/start`))
    })
    return 0
  },
}

export const stop: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Stop containers and keep them.',
  worksWithoutFile: true,
  flags: timeout,
  async run(context) {
    const seconds = numberFlag(context.flags, 'timeout')
    await eachService(
      context,
      (containers) =>
        eachOf(containers.filter(isUp), 'Stopping', 'Stopped', (id) => stopContainer(context.engine, id, seconds)),
      inReverseOrder,
    )
    return 0
  },
}

export const restart: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Stop and start containers.',
  worksWithoutFile: true,
  flags: { ...timeout, 'no-deps': { type: 'boolean', help: 'not what it depends on' } },
  async run(context) {
    const { engine, project, flags, args } = context
    const seconds = numberFlag(flags, 'timeout')
    const query = seconds === undefined ? '' : `?t=${seconds}`
    const chosen = chosenServices(project, args)
    const also = flags['no-deps'] ? {} : restartedWith(project.services, Object.keys(chosen))
    await eachService({ ...context, args: Object.keys({ ...chosen, ...also }) }, (containers) =>
      eachOf(containers, 'Restarting', 'Started', (id) =>
        engine.json('POST', `/containers/${id}/restart${query}`, { lastsMs: Infinity }),
      ),
    )
    return 0
  },
}

/** `depends_on.restart`: who wants to be restarted together with one of `names`. */
function restartedWith(services: Services, names: string[]): Services {
  return Object.fromEntries(
    Object.entries(services).filter(([, { depends_on }]) => names.some((name) => depends_on[name]?.restart)),
  )
}

function simple(verb: 'pause' | 'unpause', doing: string, done: string, summary: string): ComposeVerb {
  return {
    words: '[SERVICE…]',
    summary,
    worksWithoutFile: true,
    async run(context) {
      await eachService(context, (containers) =>
        eachOf(containers.filter(isUp), doing, done, (id) => context.engine.json('POST', `/containers/${id}/${verb}`)),
      )
      return 0
    },
  }
}

export const pause = simple('pause', 'Pausing', 'Paused', 'Freeze containers.')
export const unpause = simple('unpause', 'Unpausing', 'Unpaused', 'Let frozen containers run again.')

export const kill: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Kill containers.',
  worksWithoutFile: true,
  flags: { signal: { type: 'string', short: 's', value: 'signal', help: 'instead of SIGKILL' } },
  async run(context) {
    const name = String(context.flags['signal'] ?? 'SIGKILL')
    await eachService(context, (containers) =>
      eachOf(containers.filter(isUp), 'Killing', 'Killed', (id) =>
        context.engine.json('POST', `/containers/${id}/kill?signal=${encodeURIComponent(name)}`),
      ),
    )
    return 0
  },
}

export const rm: ComposeVerb = {
  words: '-f [SERVICE…]',
  summary: 'Remove stopped containers.',
  worksWithoutFile: true,
  flags: {
    force: { type: 'boolean', short: 'f', help: 'do not ask' },
    stop: { type: 'boolean', short: 's', help: 'stop them first' },
    volumes: { type: 'boolean', short: 'v', help: 'also its anonymous volumes' },
  },
  async run(context) {
    const { engine, flags } = context
    if (!flags['force']) throw new UsageError('this rm asks no questions: say -f to remove stopped containers')
    await eachService(context, async (containers) => {
      if (flags['stop']) await eachOf(containers.filter(isUp), 'Stopping', 'Stopped', (id) => stopContainer(engine, id))
      const gone = containers.filter((container) => flags['stop'] || !isUp(container))
      await eachOf(gone, 'Removing', 'Removed', (id) => removeContainer(engine, id, flags['volumes'] === true))
    })
    return 0
  },
}

/** The chosen services and their containers, in the order of their dependencies. */
async function eachService(
  { engine, project, args, signal }: ComposeContext,
  work: (containers: ProjectContainer[], service: Services[string], signal: AbortSignal) => Promise<void>,
  order = inDependencyOrder,
): Promise<void> {
  const containers = await listContainers(engine, project.name)
  await order(
    chosenServices(project, args),
    (service, inner) =>
      work(
        containers.filter((container) => container.service === service.name),
        service,
        inner,
      ),
    signal,
  )
}

async function eachOf(
  containers: ProjectContainer[],
  doing: string,
  done: string,
  act: (id: string) => Promise<unknown>,
): Promise<void> {
  await Promise.all(containers.map(({ id, name }) => step(`Container ${name}`, doing, done, () => act(id))))
}
