/**
 * The runtime's view of shim.sh: one run of a container, as a directory that outlives the runtime.
 *
 *   stdin stdout stderr ack   FIFOs; `ack` tells the shim that everything has been read and it may go
 *   command                   what starts the shim
 *   shim                      the shim's own pid
 *   pid                       "<host pid> <start time>", written once the program runs
 *   exit                      the exit code, written over blanks when it has ended
 *   error                     what went wrong before the program ran
 *
 * Nothing here depends on who started the run: a new runtime process calls waitForExit() just like the old one.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '@dinghy/shared/api/clock'
import { serverError } from '@dinghy/shared/docker/errors'
import type { ContainerSpec, Running } from './driver.ts'
import { exportLines } from './environment.ts'
import type { FifoPool } from './fifo-pool.ts'
import { isAlive, isSameProcess } from './process-table.ts'
import { hasEnded, type SpareShell } from './spare-shell.ts'
import { quote } from './terminal.ts'

/** The path of a script in this folder. */
export function scriptPath(name: string): string {
  return new URL(name, import.meta.url).pathname
}

/** Makes the run directory and its FIFOs, replacing what an earlier run left. */
export async function createRunDir(fifos: FifoPool, runDir: string): Promise<void> {
  rmSync(runDir, { recursive: true, force: true })
  mkdirSync(runDir, { recursive: true, mode: 0o711 })
  // Room for the code, taken now: when the program has ended, it may be because it has filled the disk.
  writeFileSync(join(runDir, 'exit'), '    ')
  // Any user of the container may open /dev/stdout again; the directories above keep everybody else out.
  await fifos.take(['stdin', 'stdout', 'stderr', 'ack'].map((name) => join(runDir, name)))
}

export interface LaunchOptions {
  prepare?: () => Promise<void>
  /** What is in the environment of the shim and the command. */
  variables?: Record<string, string>
}

/**
 * Starts `command` under a shim and resolves when the program runs. Rejects with the text of the `error` file when it
 * ended before that. With stdin 'once' the caller holds the FIFO open already, or the shim would wait for it.
 *
 * `prepare` is what can be done while the command comes up: it finds a pipe as its descriptor 7, and must not go beyond
 * what is prepared before it has read a line there. It reads end-of-file if nothing will come of it. The median of
 * starts is 45.8 ms without this overlap and 41.1 with it, measured as fifo-pool.ts says.
 */
export async function launch(
  clock: Clock,
  shells: SpareShell,
  { id, runDir, stdin }: Pick<ContainerSpec, 'id' | 'runDir' | 'stdin'>,
  command: string[],
  { prepare, variables = {} }: LaunchOptions = {},
): Promise<Running> {
  const shim = ['/bin/sh', scriptPath('shim.sh'), runDir, stdin, ...command].map(quote).join(' ')
  const redirections = `${prepare ? '7<&0 ' : ''}</dev/null >/dev/null 2>>${quote(join(runDir, 'error'))}`
  const script = [`exec ${redirections}`, ...exportLines(variables), `exec ${shim}\n`]
  const shell = shells.run(join(runDir, 'command'), script.join('\n'))
  shell.stdout.destroy()
  shell.stderr.destroy()
  let failure: unknown
  await prepare?.().then(
    () => shell.stdin.write('go\n'),
    (error: unknown) => (failure = error),
  )
  shell.stdin.end()
  shells.refill()
  const isSettled = () => readRunning(id, runDir) !== undefined || readExitCode(runDir) !== undefined || hasEnded(shell)
  await waitForFiles(clock, runDir, isSettled)
  const running = readRunning(id, runDir)
  if (running !== undefined) return running
  acknowledge(runDir)
  if (failure !== undefined) throw failure
  const reason = readFileSync(join(runDir, 'error'), 'utf8').trim()
  throw serverError(reason || `the container's first process exited with ${readExitCode(runDir)}`)
}

/**
 * For a run that another runtime process began: resolves when it is clear whether the program runs, or when it has
 * not become clear in time. Then endRun() makes it clear.
 */
export async function settleStart(clock: Clock, runDir: string): Promise<void> {
  const isSettled = () =>
    readLine(join(runDir, 'pid')) !== undefined || readExitCode(runDir) !== undefined || !isShimAlive(runDir)
  if (isSettled()) return
  const late = new AbortController()
  const timer = clock.setTimeout(() => late.abort(), startTimeoutMs)
  await waitForFiles(clock, runDir, isSettled, late.signal).catch((error: unknown) => {
    // The pid that is written there belongs to somebody else by now.
    if (!late.signal.aborted) throw error
  })
  clock.clear(timer)
}

/** The process of a run, or undefined when it has not got that far. */
export function readRunning(id: string, runDir: string): Running | undefined {
  const line = readLine(join(runDir, 'pid'))
  const [pid, startTime] = line?.split(' ') ?? []
  return pid === undefined || startTime === undefined ? undefined : { id, pid: Number(pid), startTime, runDir }
}

export function readExitCode(runDir: string): number | undefined {
  const line = readLine(join(runDir, 'exit'))
  return line === undefined ? undefined : Number(line)
}

/**
 * Resolves with the exit code and the moment of the exit. If program and shim were both killed from outside nobody
 * knows how the program ended; then the code is 255, as Docker says after losing a shim, and `isLost` says so: the
 * caller sees to it that nothing of the run is left.
 */
export async function waitForExit(
  clock: Clock,
  running: Running,
  signal?: AbortSignal,
): Promise<{ code: number; at: number; isLost: boolean }> {
  const { runDir } = running
  let deadSince: number | undefined
  const isLost = () => {
    if (isSameProcess(running.pid, running.startTime)) return false
    if (!isShimAlive(runDir)) return true
    // A living shim is about to write the code, unless its pid belongs to somebody else by now.
    deadSince ??= clock.now()
    return clock.now() - deadSince > 2 * lostShimPollMs
  }
  await waitForFiles(clock, runDir, () => readExitCode(runDir) !== undefined || isLost(), signal)
  const code = readExitCode(runDir)
  return code === undefined
    ? { code: 255, at: clock.now(), isLost: true }
    : { code, at: statSync(join(runDir, 'exit')).mtimeMs, isLost: false }
}

function isShimAlive(runDir: string): boolean {
  const pid = readShimPid(runDir)
  return pid !== undefined && isAlive(pid)
}

/** The shim leads the session of everything it started. */
export function readShimPid(runDir: string): number | undefined {
  const line = readLine(join(runDir, 'shim'))
  return line === undefined ? undefined : Number(line)
}

/** Lets the shim go. Call it after the last byte of output has been read; harmless when it has gone already. */
export function acknowledge(runDir: string): void {
  let fd: number | undefined
  try {
    fd = openSync(join(runDir, 'ack'), constants.O_WRONLY | constants.O_NONBLOCK)
    writeSync(fd, '\n')
  } catch (error) {
    // No shim any more, or no more since just now; or no run.
    if (!['ENXIO', 'EPIPE', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** A file's first line, if it is complete. */
function readLine(path: string): string | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const end = text.indexOf('\n')
  return end < 0 ? undefined : text.slice(0, end).trim()
}

/** Resolves when `done()` holds, looking again at every change in the directory. */
function waitForFiles(clock: Clock, directory: string, done: () => boolean, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const watcher = watch(directory)
    let timer: Timer | undefined
    const stop = (settle: () => void) => {
      watcher.close()
      clock.clear(timer)
      signal?.removeEventListener('abort', abort)
      settle()
    }
    const abort = () => stop(() => reject(signal?.reason))
    const check = () => {
      if (done()) stop(resolve)
    }
    // A shim that was killed together with its program changes no file.
    const poll = () => {
      timer = clock.setTimeout(poll, lostShimPollMs)
      check()
    }
    watcher.on('change', check)
    watcher.on('error', (error) => stop(() => reject(error)))
    signal?.addEventListener('abort', abort, { once: true })
    poll() // it may also have happened before the watch began
  })
}

const lostShimPollMs = 5_000
const startTimeoutMs = 3_000
