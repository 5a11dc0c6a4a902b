/**
 * `docker exec`: a process that joins the namespaces of a running container, sheds its privileges and changes into the
 * container's root. It is the runtime's child and talks to it over pipes.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ExecProcess, Running } from '../driver.ts'
import { exitCodeOf } from '../exit-code.ts'
import { descendantsOf, isAlive } from '../process-table.ts'
import { onTerminal, quote, resizeTerminal } from '../terminal.ts'
import type { Entrances } from './cgroups.ts'
import { writesOf } from './launch.ts'
import { onTerminalOf } from './terminals.ts'

/** How a terminal becomes the program's; init.sh tells why there are two ways. The shell of a job stays outside, as its parent. */
const inOwnSession = ['setsid', '--ctty']
const asJob = ['sh', '-c', 'cd "$0" && set -m && "$@"; exit $?']

/**
 * Shell lines: this machine's files, read-only, at `programs`, which nobody else sees and which are gone with what follows; the
 * terminal, if it is on one, given to the user of the program; and into the cgroups, so that nothing of the container runs outside.
 */
function preparation({ programs, programsOptions, cgroups, tty, mayTakeTerminal, uid }: Options): string {
  const { tasks, procs } = cgroups
  return [
    ...(procs.length > 0 ? [`(${writesOf('$$', procs)}) & joining=$!`] : []),
    `mount -n -o ${quote(programsOptions)} / ${quote(programs)} || exit 126`,
    ...(tty && mayTakeTerminal ? [`chown ${uid} /proc/self/fd/0 || exit 126`] : []),
    ...(tasks.length > 0 ? [writesOf(0, tasks)] : []),
    ...(procs.length > 0 ? ['wait $joining || exit 126'] : []),
    'exec "$@"',
  ].join('\n')
}

interface Options extends ExecOptions {
  /** An empty directory. */
  programs: string
  /** Options of mount(8) with which they get there. */
  programsOptions: string
  mayTakeTerminal: boolean
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
}

export async function execIn(running: Running, command: string[], options: Options): Promise<ExecProcess> {
  const { pid } = running
  const namespaces = differing(pid)
  const isJob = options.tty && !options.mayTakeTerminal
  // The root directory stays this machine's until `command` leaves it; only the working directory is the container's. And
  // it is read-only, for the reason told in init.sh.
  const prepared = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', preparation(options), 'sh']
  const root = `/proc/${pid}/root`
  const enter = [
    'nsenter',
    `--target=${pid}`,
    ...namespaces,
    ...(isJob ? ['--no-fork'] : []),
    `--root=${options.programs}`,
    `--wd=${isJob ? options.programs : root}`,
    '--',
  ]
  const session = isJob ? [...asJob, root] : options.tty ? inOwnSession : []
  return spawnExec([...prepared, ...enter, ...session, ...command], {
    ...options,
    ...(options.mayTakeTerminal
      ? {
          makeTerminal: (program, size) => onTerminalOf(pid, options.programs, program, size),
        }
      : {}),
  })
}

const namespaceOptions = { mnt: '--mount', ipc: '--ipc', uts: '--uts', pid: '--pid', net: '--net' }

/** Options of nsenter(1) for what the process does not share with us: only the machine's root may enter where it already is. */
function differing(pid: number): string[] {
  const isOther = (name: string) => readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`)
  return Object.entries(namespaceOptions).flatMap(([name, option]) => (isOther(name) ? [option] : []))
}

/** Runs a command that becomes, or has as its child, a process inside a container. */
export async function spawnExec(command: string[], options: ExecOptions): Promise<ExecProcess> {
  const { makeTerminal = onTerminal } = options
  const [program = '', ...args] = options.tty ? makeTerminal(command, options.consoleSize) : command
  // A terminal never ends. `script` would turn the end of its input into a character.
  const hasInput = options.stdin || options.tty
  const child = spawn(program, args, { cwd: '/', stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  await once(child, 'spawn')
  const { stdin, stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('an exec has pipes')
  // `script` says nothing of its own on stderr; drain it so that it can never block.
  if (options.tty) stderr.resume()
  const choose = options.onTerminal ?? ((pids: number[]) => pids)
  const resize = (rows: number, columns: number) =>
    resizeTerminal(options.clock, () => choose(descendantsOf(child.pid ?? 0)), rows, columns)
  return {
    pid: child.pid ?? 0,
    stdin: options.stdin ? (stdin ?? undefined) : undefined,
    stdout,
    stderr: options.tty ? undefined : stderr,
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
