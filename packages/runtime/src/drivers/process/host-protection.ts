/**
 * Keeps a Dockerfile's RUN from writing anywhere but into its own directories, without a container to put it in. Where
 * that cannot be had the command is refused: a build must never change the machine it runs on.
 */
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { DockerError } from '@dinghy/shared/docker/errors'
import { scriptPath } from '../shim.ts'
import { toolEnvironment } from '../../tool-environment.ts'

/** The command line that runs `command` with nothing writable but `directories`. */
export function protectedCommand(command: string[], directories: string[]): string[] {
  switch (process.platform) {
    case 'linux':
      return linuxCommand(command, directories)
    case 'darwin':
      return ['sandbox-exec', '-p', sandboxProfile([...directories, tmpdir()]), ...command]
    default:
      throw refusal(`there is no way to do so on ${process.platform}`)
  }
}

function linuxCommand(command: string[], directories: string[]): string[] {
  const unshare = [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  ]
  const script = scriptPath('process/protect.sh')
  const trial = spawnSync(unshare[0] ?? '', [...unshare.slice(1), 'sh', script, '--', 'true'], {
    env: toolEnvironment,
    encoding: 'utf8',
  })
  if (trial.status !== 0) throw refusal((trial.stderr || trial.error?.message || '').trim())
  return [...unshare, 'sh', script, ...directories, '--', ...command]
}

/** In the language of macOS' sandbox. */
function sandboxProfile(directories: string[]): string {
  const allowed = directories.map((directory) => `(subpath ${JSON.stringify(directory)})`).join(' ')
  return `(version 1)(allow default)(deny file-write*)(allow file-write* (subpath "/dev") (subpath "/private/tmp") (subpath "/private/var/folders") ${allowed})`
}

function refusal(reason: string): DockerError {
  return new DockerError(500, `RUN is refused: this machine cannot be protected from what a build writes: ${reason}`)
}
