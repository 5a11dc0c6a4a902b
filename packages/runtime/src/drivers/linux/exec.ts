/**
 * `docker exec`: a process that joins the namespaces of a running container, sheds its privileges and changes into the
 * container's root. It is the runtime's child and talks to it over pipes.
 *
 *   spare shell ─► nsenter ─► setpriv ─► sh ┄fork┄► env ─► unshare ─► the program
 *   machine        toolbox    sheds          in the pid    the container's
 *                  is root    privileges     namespace     root and user
 *
 * Whoever is in the container may look into the processes that appear there as soon as these have no more rights than
 * itself. So from nsenter on the root directory is the toolbox, the environment is PATH and what the program itself
 * will have (environment.ts), and no file is open but the streams.
 */
import { once } from 'node:events'
import { readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { randomHex } from '@dinghy/shared/api/ids'
import type { Clock } from '@dinghy/shared/api/clock'
import { serverError } from '@dinghy/shared/docker/errors'
import type { ExecProcess, Running } from '../driver.ts'
import { exportLines } from '../environment.ts'
import { exitCodeOf } from '../exit-code.ts'
import { descendantsOf, isAlive } from '../process-table.ts'
import type { SpareShell } from '../spare-shell.ts'
import { onTerminal, quote, resizeTerminal } from '../terminal.ts'
import type { Entrances } from './cgroups.ts'
import { writesOf, type Command } from './launch.ts'
import { onTerminalOf } from './terminals.ts'

/**
 * A terminal becomes the program's own session's where the machine's root may take it; init.sh tells why there are two
 * ways.
 */
const inOwnSession = ['setsid', '--ctty']
/**
 * Runs the program as a child of this shell, and ends as it does. The shell stays outside of the container's pid
 * namespace: what sheds the privileges must not be seen from inside before they are shed. The program's stderr is its
 * descriptor 3, because of what shells say: at their start that their working directory has no name, and later how
 * their children ended.
 */
const asChild = ['sh', '-c', '(exec "$@" 2>&3 3>&-); exit $?', 'sh']
/**
 * The same for a program on a terminal, which is then a job of this shell: a group of processes of its own, in the
 * foreground.
 */
const asJob = ['sh', '-c', 'exec 2>&3 3>&-; set -m; "$@"; exit $?', 'sh']

/**
 * What a shell does before it becomes the command, its arguments: it gives the terminal, if it is on one, to the user
 * of the program, and goes into the cgroups, so that nothing of the container runs outside.
 */
function preparation({ cgroups, tty, mayTakeTerminal, uid }: Options, isForked: boolean): string {
  const { tasks, procs } = cgroups
  return [
    ...(procs.length > 0 ? [`(${writesOf('$$', procs)}) & joining=$!`] : []),
    ...(tty && mayTakeTerminal ? [`chown ${uid} /proc/self/fd/0 || exit 126`] : []),
    ...(tasks.length > 0 ? [writesOf(0, tasks)] : []),
    ...(procs.length > 0 ? ['wait $joining || exit 126'] : []),
    `exec "$@"${isForked ? ' 3>&2 2>/dev/null' : ''}`,
  ].join('\n')
}

interface Options extends ExecOptions {
  /** A path at which the toolbox is, read-only (openToolbox() of toolbox.ts). */
  tools: string
  /** An empty directory. */
  scratch: string
  mayTakeTerminal: boolean
  /** Programs in the container may look into other users' processes there (CAP_SYS_PTRACE). */
  mayTrace: boolean
  cgroups: Entrances
  /** The program's user. */
  uid: number
}

interface ExecOptions {
  stdin: boolean
  tty: boolean
  consoleSize: [number, number] | undefined
  /** Puts the command on a terminal; on one of this machine's own unless said. */
  makeTerminal?: typeof onTerminal
  clock: Clock
  /** Whose terminal it is that gets resized, of these processes, parents first; by default the first that has one. */
  onTerminal?: (pids: number[]) => number[]
  /** In the environment of the command, beside what every tool has. */
  variables?: Record<string, string>
  /** Shell lines that end in becoming the command, which are the shell's arguments. */
  prepare?: string
}

/**
 * `commandOf` makes the command that sheds the privileges and then becomes the program; what it is given has to come in
 * between (dropCommand() in launch.ts).
 */
export function execIn(
  shells: SpareShell,
  running: Running,
  commandOf: (afterDrop: string[]) => Command,
  options: Options,
): ExecProcess {
  const { pid } = running
  const namespaces = differing(pid)
  const { tty, mayTakeTerminal, mayTrace, tools } = options
  // To take a terminal is a privilege: only then the forked child, in the container's pid namespace, sheds its
  // privileges itself.
  const inSession = tty && mayTakeTerminal && !mayTrace
  const isJob = tty && !inSession
  const isForked = isJob || (namespaces.includes('--pid') && !inSession)
  const afterDrop = !isForked ? [] : isJob ? asJob : asChild
  const enter = [
    'nsenter',
    `--target=${pid}`,
    ...namespaces,
    ...(isForked ? ['--no-fork'] : []),
    `--root=${tools}`,
    `--wd=/proc/${pid}/root`,
    '--',
  ]
  const { words, variables } = commandOf(afterDrop)
  return startExec(shells, running, [...enter, ...(inSession ? inOwnSession : []), ...words], {
    ...options,
    variables,
    prepare: preparation(options, isForked),
    ...(mayTakeTerminal ? { makeTerminal: (program, size) => onTerminalOf(pid, options.scratch, program, size) } : {}),
  })
}

const namespaceOptions = { mnt: '--mount', ipc: '--ipc', uts: '--uts', pid: '--pid', net: '--net' }

/**
 * Options of nsenter(1) for what the process does not share with us: only the machine's root may enter where it already
 * is.
 */
function differing(pid: number): string[] {
  const isOther = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`)
  return Object.entries(namespaceOptions).flatMap(([name, option]) => (isOther(name) ? [option] : []))
}

/** Runs a command that becomes, or has as its child, a process inside a container. */
export function startExec(
  shells: SpareShell,
  { runDir }: Running,
  command: string[],
  options: ExecOptions,
): ExecProcess {
  const { tty, variables = {}, prepare = 'exec "$@"', makeTerminal = onTerminal } = options
  const words = tty ? makeTerminal(['sh', '-c', prepare, 'sh', ...command], options.consoleSize) : command
  // A terminal never ends. `script` would turn the end of its input into a character.
  const hasInput = options.stdin || tty
  const file = join(runDir, `exec-${randomHex(16)}`)
  const script = [
    ...(hasInput ? [] : ['exec </dev/null']),
    ...exportLines(variables),
    `set -- ${words.map(quote).join(' ')}`,
    // What is in braces is read before any of it is done. From then on no variable of the program is in a file.
    `{ : >${quote(file)}`,
    tty ? 'exec "$@"' : prepare,
    '}\n',
  ]
  const { process: child, stdin, stdout, stderr } = shells.run(file, script.join('\n'))
  shells.refill()
  if (child.pid === undefined) throw serverError('no shell can be started')
  child.once('exit', () => rmSync(file, { force: true }))
  if (!hasInput) stdin.end()
  // `script` says nothing of its own on stderr; drain it so that it can never block.
  if (tty) stderr.resume()
  const choose = options.onTerminal ?? ((pids: number[]) => pids)
  const resize = (rows: number, columns: number) =>
    resizeTerminal(options.clock, () => choose(descendantsOf(child.pid ?? 0)), rows, columns)
  return {
    pid: child.pid ?? 0,
    stdin: options.stdin ? stdin : undefined,
    stdout,
    stderr: tty ? undefined : stderr,
    exited: once(child, 'exit').then(([code, signal]) =>
      exitCodeOf(code as number | null, signal as NodeJS.Signals | null),
    ),
    resize,
    kill: async () => {
      // Killing what joined the container alone would leave the process inside alive.
      for (const pid of descendantsOf(child.pid ?? 0).reverse()) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    },
  }
}
