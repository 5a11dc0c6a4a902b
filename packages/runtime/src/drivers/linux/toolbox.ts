/**
 * The toolbox: copies of the few programs that carry out the last steps of a start and of an exec, with the libraries
 * they load, and nothing else. It is the root directory of those steps.
 *
 * Why copies: the last steps run with the rights of the container they lead into, and often in its pid namespace.
 * Whatever is their root directory can be opened from inside by way of /proc/PID/root, so it must not lead anywhere.
 * Callers mount it read-only, so that nobody in a container can change a program that the next start will run with more
 * rights.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { serverError } from '@dinghy/shared/docker/errors'
import { toolEnvironment } from '../../tool-environment.ts'

/** umount(8) reads it, and takes the name of a mount that it does not find there as it is given. */
const mountinfo = 'proc/self/mountinfo'

/**
 * Fills `directory` with `programs`, given as absolute paths of this machine; they keep their paths. Quick if they are
 * there.
 */
export function prepareToolbox(directory: string, programs: string[]): void {
  const files = [...new Set([...programs, ...librariesOf(programs)])].toSorted()
  const stamp = `${directory}.made-of`
  const madeOf = `${files.map(describe).join('\n')}\n`
  if (existsSync(directory) && existsSync(stamp) && readFileSync(stamp, 'utf8') === madeOf) return
  rmSync(directory, { recursive: true, force: true })
  for (const path of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true, mode: 0o755 })
    copyFileSync(realpathSync(path), join(directory, path))
  }
  mkdirSync(dirname(join(directory, mountinfo)), { recursive: true })
  writeFileSync(join(directory, mountinfo), '')
  checkExecutable(join(directory, programs[0] ?? ''))
  writeFileSync(stamp, madeOf)
}

/**
 * A path of the toolbox in `directory` where it is read-only, good while this process lives: of a mount that is in no
 * namespace any more, so that nothing is around it and nobody can change it. `options` are those of mount(8).
 */
export async function openToolbox(directory: string, options: string): Promise<string> {
  const script = 'mount -n -o "$1" "$0" "$0" && echo && read -r _'
  const unshare = ['--mount', '--propagation', 'private', 'sh', '-c', script, directory, options]
  const holder = spawn('unshare', unshare, { cwd: '/', env: toolEnvironment, stdio: 'pipe' })
  const ended = once(holder, 'close') as Promise<[number | null]>
  const errors = text(holder.stderr)
  const isMounted = await Promise.race([once(holder.stdout, 'data'), ended.then(() => undefined)])
  if (isMounted === undefined) throw serverError(`cannot mount the toolbox in ${directory}: ${await errors}`)
  // Held open, it stays when the namespace goes.
  const held = openSync(`/proc/${holder.pid}/root${directory}`, constants.O_RDONLY | constants.O_DIRECTORY)
  holder.stdin.end()
  await ended
  return `/proc/${process.pid}/fd/${held}`
}

function describe(path: string): string {
  const { size, mtimeMs, ino } = statSync(path)
  return `${path} ${size} ${mtimeMs} ${ino}`
}

/** As ldd(1) tells of several programs: absolute paths, the dynamic loader's among them. A static program has none. */
export function parseLibraries(output: string): string[] {
  return output.split('\n').flatMap((line) => /(?:=>\s+|^\s+)(\/\S+)/.exec(line)?.[1] ?? [])
}

function librariesOf(programs: string[]): string[] {
  const { error, stdout } = spawnSync('ldd', programs, { env: toolEnvironment, encoding: 'utf8' })
  if (error !== undefined) throw serverError(`the linux driver needs ldd, to find libraries: ${error.message}`)
  // Its exit code says no more than that one of them is static.
  return parseLibraries(stdout)
}

/** On a file system that is mounted with noexec nothing can be executed, whatever its mode. */
function checkExecutable(program: string): void {
  try {
    execFileSync(program, ['-c', ':'], { env: toolEnvironment, stdio: 'ignore' })
  } catch (error) {
    throw serverError(
      `programs in ${dirname(program)} cannot be executed (${(error as Error).message}): ` +
        'the linux driver needs a state directory on a file system that is not mounted with noexec',
    )
  }
}
