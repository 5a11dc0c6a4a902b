/**
 * `docker exec`: a command in a running container.
 */

import { UsageError } from '../command-line/command.ts'
import { several } from '../command-line/verbs.ts'
import type { DockerCommand } from './docker-command.ts'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { interact } from './terminal.ts'

export const exec: DockerCommand = {
  words: 'CONTAINER COMMAND [ARG…]',
  summary: 'Run a command in a running container.',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd', help: 'do not wait for it' },
    interactive: { type: 'boolean', short: 'i', help: 'keep stdin open' },
    tty: { type: 'boolean', short: 't', help: 'give it a terminal' },
    env: { type: 'string', short: 'e', multiple: true, value: 'k=v', help: 'a variable of its environment' },
    user: { type: 'string', short: 'u', value: 'user', help: 'who runs it' },
    workdir: { type: 'string', short: 'w', value: 'dir', help: 'where it runs' },
  },
  async run({ engine, flags, args: [container, ...command] }) {
    if (!container || command.length === 0) throw new UsageError('name a container and a command')
    return execIn(engine, encodeURIComponent(container), {
      command,
      detach: flags['detach'] === true,
      stdin: flags['interactive'] === true,
      tty: flags['tty'] === true,
      env: several(flags, 'env'),
      user: flags['user'] as string | undefined,
      workdir: flags['workdir'] as string | undefined,
    })
  },
}

export interface Exec {
  command: string[]
  detach: boolean
  stdin: boolean
  tty: boolean
  /** `NAME=value`, or a name alone: this process' own value. */
  env: string[]
  user?: string | undefined
  workdir?: string | undefined
  privileged?: boolean
}

/** Runs a command in a container, joined to this process' streams; returns its exit code. */
export async function execIn(engine: DockerEngine, container: string, exec: Exec): Promise<number> {
  const { command, detach, stdin, tty, env, user, workdir, privileged = false } = exec
  const body = {
    Cmd: command,
    Tty: tty,
    AttachStdin: stdin && !detach,
    AttachStdout: !detach,
    AttachStderr: !detach,
    Privileged: privileged,
    Env: env.map((word) => (word.includes('=') ? word : `${word}=${process.env[word] ?? ''}`)),
    ...(user !== undefined ? { User: user } : {}),
    ...(workdir !== undefined ? { WorkingDir: workdir } : {}),
  }
  const { Id } = await engine.json<{ Id: string }>('POST', `/containers/${container}/exec`, { body })
  if (detach) {
    await engine.json('POST', `/exec/${Id}/start`, { body: { Detach: true } })
    return 0
  }
  const { socket } = await engine.hijack(`/exec/${Id}/start`, { body: { Detach: false, Tty: tty } })
  const resize = (rows: number, columns: number): Promise<void> =>
    engine.json('POST', `/exec/${Id}/resize?h=${rows}&w=${columns}`)
  await interact(socket, { tty, stdin, resize })
  return (await engine.json<{ ExitCode: number }>('GET', `/exec/${Id}/json`)).ExitCode
}
