/**
 * runMain: what every process of the cluster does before and after its own work.
 *
 *   parse flags ─► log ─► debug server ─► run file ─► run({ flags, log, clock, signal, … }) ─► close, exit 0
 *      │ --help: print, exit 0; --check-flags: exit 0     │ rejects: one fatal line, exit 1
 *      └ wrong: one line, exit 1                          └ signal aborts: run has 10 s to return
 *
 * The promises to `run`: `signal` aborts on SIGTERM, SIGINT and, with --exit-with-parent, when whoever started the
 * process is gone (stdin ends); a second signal exits at once. An error that nobody caught ends the process with
 * one line that says so: a component that is half dead would be worse than one that is started again.
 */

import { setMaxListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { begin } from '../api/at-start.ts'
import { systemClock, type Clock } from '../api/clock.ts'
import { debugQueues } from '../reconcile/gate.ts'
import { startDebugServer, type DebugServer } from './debug-server.ts'
import { FlagError, helpText, parseFlags, type Flags, type FlagSpec } from './flags.ts'
import { Health } from './health.ts'
import { createLogger, isLevel, levels, type Logger } from './logger.ts'
import { Metrics } from './metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'

export interface Context<S extends FlagSpec> {
  flags: Flags<S & typeof commonFlags>
  log: Logger
  clock: Clock
  /** Aborted when the process has to stop. */
  signal: AbortSignal
  /** The process is not ready before run has added a check of its own. */
  health: Health
  metrics: Metrics
  debug: DebugServer
  /** Adds facts to the run file, e.g. the address that the process serves on. */
  announce: (extra: Record<string, unknown>) => void
}

export interface Main<S extends FlagSpec> {
  name: string
  flags: S
  /** Looks at what flags point to, for --check-flags; throws a FlagError. */
  checkFlags?(flags: Flags<S & typeof commonFlags>): Promise<void>
  /** The work. Resolves when it has stopped, which should be soon after the signal aborts. */
  run(context: Context<S>): Promise<void>
  /** How long `run` may take to return once the signal has aborted. */
  shutdownTimeoutMs?: number
}

/** What runMain needs of the process around it; tests bring their own. */
export interface Host {
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  stdin: NodeJS.ReadableStream
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
  on(
    event: 'SIGTERM' | 'SIGINT' | 'uncaughtException' | 'unhandledRejection',
    listener: (value: unknown) => void,
  ): unknown
  exit(code: number): void
  /** Takes the log lines in the place of standard output. */
  writeLog?: (line: string) => void
}

const commonFlags = {
  'debug-address': {
    type: 'string',
    default: '127.0.0.1:0',
    help: 'where to serve health, metrics and debugging: host:port, or unix:FILE',
  },
  'run-file': { type: 'string', help: 'file to write once up: {"name","pid","debug"}' },
  'log-level': {
    type: 'string',
    oneOf: Object.keys(levels),
    help: 'least important lines to log; LOG_LEVEL does the same',
  },
  'exit-with-parent': { type: 'boolean', help: 'stop when stdin ends' },
  'check-flags': { type: 'boolean', help: 'only say whether these flags are right' },
} as const satisfies FlagSpec

export function runMain<const S extends FlagSpec>(main: Main<S>, host: Host = process): void {
  begin(() => start(main, host))
}

function start<S extends FlagSpec>(main: Main<S>, host: Host): void {
  const flags = readFlags(main, host)
  if (flags === undefined) return
  if (flags.checkFlags) {
    const checked = main.checkFlags?.(flags) ?? Promise.resolve()
    void checked.then(
      () => host.exit(0),
      (error: unknown) => sayWrong(main, host, error),
    )
    return
  }
  const logLevel = flags.logLevel ?? host.env['LOG_LEVEL'] ?? 'info'
  const log = createLogger({
    name: main.name,
    level: isLevel(logLevel) ? logLevel : 'info',
    clock: systemClock,
    ...(host.writeLog ? { write: host.writeLog } : {}),
  })
  const crash = (error: unknown) => {
    log.fatal({ err: error }, error instanceof Error ? error.message : String(error))
    host.exit(1)
  }
  host.on('uncaughtException', crash)
  host.on('unhandledRejection', crash)
  const signal = stopSignal(host, flags.exitWithParent, log, main.shutdownTimeoutMs ?? 10_000)
  serve(main, flags, log, signal).then(() => host.exit(0), crash)
}

/** The flags; undefined if there is nothing to run, because help was asked for or a flag is wrong. */
function readFlags<S extends FlagSpec>(main: Main<S>, host: Host): Flags<S & typeof commonFlags> | undefined {
  const spec = { ...main.flags, ...commonFlags }
  const argv = host.argv.slice(2)
  if (argv.includes('--help') || argv.includes('-h')) {
    host.stdout.write(helpText(main.name, spec))
    host.exit(0)
    return undefined
  }
  try {
    return parseFlags(spec, argv)
  } catch (error) {
    sayWrong(main, host, error)
    return undefined
  }
}

function sayWrong({ name }: { name: string }, host: Host, error: unknown): void {
  if (!(error instanceof FlagError)) throw error
  host.stderr.write(`${name}: ${error.message} (see --help)\n`)
  host.exit(1)
}

/** Everything between "flags are fine" and "the work is done". */
async function serve<S extends FlagSpec>(
  main: Main<S>,
  flags: Flags<S & typeof commonFlags>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { debugAddress, runFile } = flags as Flags<typeof commonFlags>
  const health = new Health()
  const metrics = new Metrics()
  addProcessMetrics(metrics, debugQueues)
  health.addCheck('shutdown', () => !signal.aborted)
  // Until run has added a check of its own it is still reading its files: who asks must not be told "ready" for that.
  const common = health.size + 1
  health.addCheck('started', () => health.size > common)
  const debug = await startDebugServer({ health, metrics, address: debugAddress })
  const facts = { name: main.name, pid: process.pid, debug: debug.url }
  const announce = (extra: Record<string, unknown>) => {
    Object.assign(facts, extra)
    if (runFile !== undefined) writeRunFile(runFile, facts)
  }
  const work = main.run({ flags, log, clock: systemClock, signal, health, metrics, debug, announce })
  announce({})
  log.info({ debug: debug.url }, 'started')
  const unlessAborted = (error: unknown) => {
    if (!isAbort(error, signal)) throw error
  }
  const whenReady = health.untilReady(systemClock, signal).then(() => {
    announce({ readyAt: systemClock.now() })
    log.debug('ready')
    // Components are started without (scripts/snapshot.mjs): what is hot in a start rarely is afterwards.
    setFlagsFromString('--opt')
  })
  // Work may end without ever having been ready. An error here is one that nobody caught, and ends the process.
  void whenReady.catch(unlessAborted)
  await work.catch(unlessAborted)
  await debug.close()
  if (runFile !== undefined) removeRunFile(runFile)
  log.info('stopped')
}

/** Being woken out of a sleep or a request because the process stops is not a failure. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))
}

function stopSignal(host: Host, exitWithParent: boolean, log: Logger, timeoutMs: number): AbortSignal {
  const controller = new AbortController()
  // Every loop of the process listens to this one signal; node would warn of a leak at the eleventh.
  setMaxListeners(0, controller.signal)
  const stop = (why: string) => {
    if (controller.signal.aborted) {
      log.warn({ why }, 'told to stop a second time: exiting at once')
      host.exit(1)
      return
    }
    log.info({ why }, 'stopping')
    controller.abort(new DOMException(why, 'AbortError'))
    const late = () => {
      log.error({ timeoutMs }, 'did not stop in time: exiting')
      host.exit(1)
    }
    setTimeout(late, timeoutMs).unref()
  }
  host.on('SIGTERM', () => stop('SIGTERM'))
  host.on('SIGINT', () => stop('SIGINT'))
  if (exitWithParent) {
    // The parent holds the other end of our stdin; the kernel closes it even if the parent is killed.
    const parentGone = () => {
      if (!controller.signal.aborted) stop('parent is gone')
    }
    host.stdin.once('end', parentGone).once('close', parentGone).once('error', parentGone).resume()
  }
  return controller.signal
}
