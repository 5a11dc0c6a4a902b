/**
 * `up` in the foreground: starts the services and shows what they write, until all have ended, Ctrl-C is pressed
 * (twice: at once), or a container ends that the others are to end with. Returns the exit code.
 */

import { ComposeError } from './compose-error.ts'
import { isUp, listContainers, type ProjectContainer, shortName, stopContainer } from './containers.ts'
import { startContainers } from './converge.ts'
import { endedRuns, followProject, LogPrinter } from './log-stream.ts'
import { inReverseOrder } from './order.ts'
import { step } from './progress.ts'
import type { ComposeContext, Services } from './verb.ts'

interface ForegroundOptions {
  /** Services whose output is shown. */
  attached: Set<string>
  timestamps: boolean
  prefix: boolean
  stopSeconds: number | undefined
  /** What ends everything: that a container ends, that one fails, or neither. */
  abortOn: 'exit' | 'failure' | 'nothing'
  /** The service whose exit code is that of the whole; otherwise it is that of the container that ended everything. */
  exitCodeFrom: string | undefined
}

export async function runInForeground(
  context: ComposeContext,
  services: Services,
  options: ForegroundOptions,
): Promise<number> {
  const { engine, project, clock } = context
  const { attached, timestamps, prefix, stopSeconds, abortOn, exitCodeFrom } = options
  const mine = (await listContainers(engine, project.name)).filter(({ service }) => services[service])
  const shown = mine.filter(({ service }) => attached.has(service))
  const printer = new LogPrinter({ tail: 'all', timestamps, prefix }, shown)
  console.error(`Attaching to ${shown.map(shortName).join(', ')}`)

  let exitCode = 0
  let isInterrupted = false
  let stopping: Promise<void> | undefined
  /** Resolves when all that was to be stopped is. */
  let tellStopped: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => (tellStopped = resolve))
  /** Ends the waiting of what is still to be started. */
  const cut = new AbortController()
  /** Starting or stopping failed: what runs goes on, but nobody follows it any more. */
  const failed = new AbortController()
  const since = clock.now() / 1000
  const earlier = await endedRuns(context, mine)
  const starting = startContainers({ ...context, signal: cut.signal }, services).catch((error: unknown) => {
    if (!cut.signal.aborted) failed.abort(error)
  })
  const stop = () => {
    cut.abort(new ComposeError('interrupted'))
    // What is starting settles first, so that nothing comes up behind the back of what stops it.
    stopping ??= starting.then(() => stopServices(context, services, stopSeconds))
    stopping.then(
      () => tellStopped(),
      (error: unknown) => failed.abort(error),
    )
  }
  const onInterrupt = () => {
    if (stopping) return killAll(context, mine)
    console.error('Gracefully stopping... (press Ctrl+C again to force)')
    isInterrupted = true
    exitCode = 130
    stop()
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, onInterrupt)
  try {
    await followProject({ ...context, signal: failed.signal }, printer, {
      isShown: ({ service }) => attached.has(service),
      since,
      earlier,
      starting,
      stopped,
      onExit: ({ service }, code) => {
        if (service === exitCodeFrom && !isInterrupted) exitCode = code
        if (stopping || abortOn === 'nothing' || (abortOn === 'failure' && code === 0)) return
        if (exitCodeFrom === undefined) exitCode = code
        console.error(`Aborting on container ${abortOn}...`)
        stop()
      },
    })
    await stopping
  } catch (error) {
    // Then it was the end of following that the error is about.
    if (!failed.signal.aborted) throw error
  } finally {
    for (const signal of signals) process.off(signal, onInterrupt)
  }
  failed.signal.throwIfAborted()
  return exitCode
}

/** Dependents before what they depend on. */
async function stopServices(context: ComposeContext, services: Services, seconds: number | undefined): Promise<void> {
  const { engine, project } = context
  const running = (await listContainers(engine, project.name)).filter(isUp)
  await inReverseOrder(
    services,
    async ({ name: service }) => {
      const own = running.filter((container) => container.service === service)
      await Promise.all(
        own.map(({ id, name }) =>
          step(`Container ${name}`, 'Stopping', 'Stopped', () => stopContainer(engine, id, seconds)),
        ),
      )
    },
    context.signal,
  )
}

function killAll({ engine }: ComposeContext, containers: ProjectContainer[]): void {
  for (const { id } of containers) {
    engine.json('POST', `/containers/${id}/kill`).catch((error: Error) => {
      // A container that has ended meanwhile needs no killing.
      if (!error.message.includes('is not running')) console.error(error.message)
    })
  }
}
