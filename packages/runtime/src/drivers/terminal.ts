/**
 * Terminals for `docker run -t` and `docker exec -t`. Node has no openpty, so the pseudo terminal is made and pumped by
 * `script` (util-linux, or BSD's on macOS), which every system has; its size is set from outside with `stty`.
 */
import { execFile, execFileSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '@dinghy/shared/api/clock'
import { DockerError } from '@dinghy/shared/docker/errors'
import { toolEnvironment } from '../tool-environment.ts'

/**
 * The command line that runs `program` on a new terminal of that size, whose other side is stdin and stdout of that
 * line.
 */
export function onTerminal(program: string[], size?: [rows: number, columns: number]): string[] {
  checkScript()
  const [rows, columns] = size ?? [0, 0]
  const setSize = `stty rows ${rows} cols ${columns} && exec "$@"`
  const command = rows > 0 && columns > 0 ? ['sh', '-c', setSize, 'sh', ...program] : program
  if (process.platform === 'darwin') return ['script', '-q', '/dev/null', ...command]
  // -e: exit as the command does. -f: hold nothing back. The command comes as text, for /bin/sh.
  return ['script', '-q', '-e', '-f', '-c', `exec ${command.map(quote).join(' ')}`, '/dev/null']
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Sets the size of the terminal that one of these processes has as stdin, stdout or stderr; the kernel tells its
 * readers.
 */
export async function resizeTerminal(
  clock: Clock,
  findPids: () => number[],
  rows: number,
  columns: number,
): Promise<void> {
  let terminal: string | undefined
  // Clients say the size as soon as they hear of the start, when `script` may still be on its way.
  for (let attempt = 0; terminal === undefined && attempt < 50; attempt++) {
    if (attempt > 0) await clock.sleep(20)
    terminal = findPids()
      .map(terminalOf)
      .find((path) => path !== undefined)
  }
  if (terminal === undefined) throw new DockerError(500, 'cannot resize: the process has no terminal')
  const option = process.platform === 'darwin' ? '-f' : '-F'
  await promisify(execFile)('stty', [option, terminal, 'rows', String(rows), 'cols', String(columns)], {
    env: toolEnvironment,
  })
}

/** The terminal that a process has as stdin, stdout or stderr, by a path that leads to it from here. */
function terminalOf(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    const name = execFileSync('ps', ['-o', 'tty=', '-p', String(pid)], {
      env: toolEnvironment,
      encoding: 'utf8',
    }).trim()
    return name === '' || name.startsWith('?') ? undefined : `/dev/${name}`
  }
  for (const fd of [0, 1, 2]) {
    try {
      // Its name is one of some mount namespace, where /dev/pts is another file system; the link leads to the device
      // itself.
      const link = `/proc/${pid}/fd/${fd}`
      if (/\/dev\/pts\/\d+$/.test(readlinkSync(link))) return link
    } catch (error) {
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  return undefined
}

let hasScript: boolean | undefined
function checkScript(): void {
  if (hasScript === undefined) {
    try {
      execFileSync('script', ['--version'], { env: toolEnvironment, stdio: 'ignore' })
      hasScript = true
    } catch (error) {
      // BSD's knows no --version, and fails differently from a program that is not there.
      hasScript = (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  }
  if (!hasScript) throw new DockerError(500, 'a TTY needs the program "script" (package bsdutils or util-linux)')
}
