/**
 * The output of many containers, each line behind the name of its container, in a colour of its own.
 */

import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { isDockerStatus } from '@dinghy/shared/docker/errors'
import { demultiplex } from '@dinghy/shared/docker/stdcopy'
import { inspectContainer, isUp, listContainers, type ProjectContainer, shortName } from './containers.ts'
import { label } from './labels.ts'
import { parseDuration } from './load/units.ts'
import type { ComposeContext } from './verb.ts'

export interface LogOptions {
  tail: string
  timestamps: boolean
  prefix: boolean
  /** Seconds since 1970. */
  since?: number | undefined
  until?: number | undefined
}

type Context = Pick<ComposeContext, 'engine' | 'project' | 'signal'>

const colors = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** Gives every container a colour when it is first seen, and keeps the names in one column. */
export class LogPrinter {
  readonly #options: LogOptions
  readonly #known: string[]

  constructor(options: LogOptions, containers: ProjectContainer[]) {
    this.#options = options
    this.#known = containers.map(shortName)
  }

  /** Prints what is there, or follows it until the container ends. */
  async print({ engine, signal }: Context, container: ProjectContainer, follow?: { since?: number }): Promise<void> {
    const { Config } = await inspectContainer(engine, container.id)
    const { tail, timestamps, until, since = follow?.since } = this.#options
    const query = new URLSearchParams({ stdout: '1', stderr: '1', tail, follow: follow ? '1' : '0' })
    if (timestamps) query.set('timestamps', '1')
    if (since !== undefined) query.set('since', String(since))
    if (until !== undefined) query.set('until', String(until))
    const path = `/containers/${container.id}/logs?${query}`
    const { body } = await engine.request('GET', path, {}, signal)
    await printLines(body, Config.Tty, this.#prefixOf(container))
  }

  say(container: ProjectContainer, text: string): void {
    process.stdout.write(`${this.#prefixOf(container)}${text}\n`)
  }

  #prefixOf(container: ProjectContainer): string {
    if (!this.#options.prefix) return ''
    const name = shortName(container)
    if (!this.#known.includes(name)) this.#known.push(name)
    const text = `${name.padEnd(Math.max(...this.#known.map(({ length }) => length)))} | `
    const color = colors[this.#known.indexOf(name) % colors.length]
    return process.stdout.isTTY && !process.env['NO_COLOR'] ? `\u001b[${color}m${text}\u001b[0m` : text
  }
}

async function printLines(body: Readable, isRaw: boolean, prefix: string): Promise<void> {
  const printers = { stdout: linePrinter(process.stdout, prefix), stderr: linePrinter(process.stderr, prefix) }
  if (isRaw) for await (const chunk of body) printers.stdout.write(chunk as Buffer)
  else for await (const { stream, data } of demultiplex(body)) printers[stream].write(data)
  for (const printer of Object.values(printers)) printer.end()
}

/**
 * Whole lines only, so that those of several containers never mix; neither lines nor letters are cut where chunks are.
 */
function linePrinter(target: NodeJS.WriteStream, prefix: string) {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return {
    write(chunk: Buffer): void {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      if (lines.length > 0) target.write(lines.map((line) => `${prefix}${line}\n`).join(''))
    },
    end(): void {
      if (rest !== '') target.write(`${prefix}${rest}\n`)
    },
  }
}

interface Following {
  isShown: (container: { service: string }) => boolean
  /** Of what runs already, only what it has written since then, in seconds since 1970; 0 is everything. */
  since: number
  /** Runs (of `endedRuns`) that belong to the past: they ended before anything was started here. */
  earlier?: ReadonlySet<string>
  /** Nothing is over before this: `up` is still starting containers. Never rejects. */
  starting?: Promise<void>
  /**
   * Everything has been stopped on purpose: what does not run now is over. A container that waits for its next restart
   * (it crashes again and again) is stopped without an event.
   */
  stopped?: Promise<void>
  /** Called when a shown container ends. */
  onExit?: (container: ProjectContainer, exitCode: number) => void
}

/** The runs of these containers that have ended, for `earlier`. */
export async function endedRuns({ engine }: Context, containers: ProjectContainer[]): Promise<Set<string>> {
  const ended = containers.filter((container) => !isUp(container))
  return new Set(await Promise.all(ended.map(async ({ id }) => runOf(id, (await inspectContainer(engine, id)).State))))
}

function runOf(id: string, { StartedAt }: { StartedAt: string }): string {
  return `${id} ${StartedAt}`
}

/**
 * Follows the shown containers through restarts, and those that are started later as well. Resolves when none of them
 * is up any more. Each run is followed once, whether an event tells of it or a look at what is there: subscribing comes
 * first, and the last look finds what began and ended so quickly that its events were not read any more.
 */
export async function followProject(context: Context, printer: LogPrinter, following: Following): Promise<void> {
  const { engine, project } = context
  const { isShown, since, earlier = new Set(), starting = Promise.resolve(), stopped, onExit } = following
  const over = new AbortController()
  let failure: unknown
  const runs = new Set(earlier)
  const printing = new Map<string, Promise<void>>()
  /** Containers whose end has not been told. */
  const live = new Set<string>()
  const shown = async () => (await listContainers(engine, project.name)).filter(isShown)
  const endWhenOver = async () => {
    if (!(await shown()).some(isUp)) over.abort()
  }
  const fail = (error: unknown) => {
    failure ??= error
    over.abort()
  }
  const followRun = async (container: ProjectContainer, from?: number) => {
    const { State } = await inspectContainer(engine, container.id)
    const run = runOf(container.id, State)
    if (State.Status === 'created' || runs.has(run)) return
    runs.add(run)
    live.add(container.id)
    await printer.print(context, container, { since: from ?? Date.parse(State.StartedAt) / 1000 })
  }
  const follow = (container: ProjectContainer, from?: number) => {
    const before = printing.get(container.id) ?? Promise.resolve()
    const now = before.then(() => followRun(container, from))
    printing.set(
      container.id,
      now.catch((error: unknown) => {
        // A container may be removed before its output has been asked for.
        if (!context.signal.aborted && !isDockerStatus(error, 404)) fail(error)
      }),
    )
  }
  const tellEnd = (container: ProjectContainer, exitCode: number) => {
    live.delete(container.id)
    printer.say(container, `exited with code ${exitCode}`)
    onExit?.(container, exitCode)
  }

  const filters = { label: [`${label.project}=${project.name}`], type: ['container'], event: ['start', 'die'] }
  const events = await engine.subscribe(filters, AbortSignal.any([context.signal, over.signal]))
  const present = await shown()
  for (const container of present) follow(container, isUp(container) || since === 0 ? since : undefined)
  if (since === 0) await forgetEnded()
  let hasStarted = false
  const looks = [
    starting.then(() => {
      hasStarted = true
      return endWhenOver()
    }),
    ...(stopped ? [stopped.then(endWhenOver)] : []),
  ]
  for (const look of looks) look.catch(fail)
  for await (const { Action, Actor } of events) {
    const container = [...(await shown()), ...present].find(({ id }) => id === Actor.ID)
    if (!container) continue
    if (Action === 'start') follow(container)
    else {
      await printing.get(container.id)
      tellEnd(container, Number(Actor.Attributes['exitCode'] ?? 0))
      if (hasStarted) await endWhenOver()
    }
  }
  if (!over.signal.aborted) return
  for (const container of await shown()) follow(container)
  await Promise.all(printing.values())
  if (failure !== undefined) throw failure
  for (const container of (await shown()).filter(({ id }) => live.has(id)))
    tellEnd(container, (await inspectContainer(engine, container.id)).State.ExitCode)

  /** `logs -f` shows what ended long ago, and tells of no end that it has not seen. */
  async function forgetEnded(): Promise<void> {
    for (const container of present.filter((one) => !isUp(one))) {
      await printing.get(container.id)
      live.delete(container.id)
    }
  }
}

/** "10m", a date, or seconds since 1970, as seconds since 1970. Pure. */
export function parseMoment(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  const date = Date.parse(text)
  return Number.isNaN(date) ? (nowMs - parseDuration(text) / 1e6) / 1000 : date / 1000
}
