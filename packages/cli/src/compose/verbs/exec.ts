// `compose exec`: a command in a running container of a service.

import { several, UsageError } from '../../commands/command.ts'
import { interact } from '../../docker/terminal.ts'
import { ComposeError } from '../compose-error.ts'
import { listContainers } from '../containers.ts'
import { numberOf } from '../plan.ts'
import { type ComposeVerb, numberFlag, serviceNamed } from '../verb.ts'

export const exec: ComposeVerb = {
  usage: 'exec [-d] [-T] [--privileged] [-e K=V] [-u USER] [-w DIR] [--index N] SERVICE COMMAND [ARG…]',
  stopsAtFirstWord: true,
  worksWithoutFile: true,
  flags: {
    detach: { type: 'boolean', short: 'd' },
    'no-TTY': { type: 'boolean', short: 'T' },
    interactive: { type: 'boolean', short: 'i' },
    tty: { type: 'boolean', short: 't' },
    privileged: { type: 'boolean' },
    env: { type: 'string', short: 'e', multiple: true },
    user: { type: 'string', short: 'u' },
    workdir: { type: 'string', short: 'w' },
    index: { type: 'string' },
  },
  async run({ engine, project, flags, args: [name, ...command] }) {
    if (!name || command.length === 0) throw new UsageError('name a service and a command')
    serviceNamed(project.services, name)
    const index = numberFlag(flags, 'index')
    const running = (await listContainers(engine, project.name)).filter(
      ({ service, state }) => service === name && state === 'running',
    )
    const container = index === undefined ? running[0] : running.find((candidate) => numberOf(candidate) === index)
    if (!container) throw new ComposeError(`service "${name}" is not running`)
    const detached = flags['detach'] === true
    const tty = !detached && !flags['no-TTY'] && process.stdin.isTTY && process.stdout.isTTY
    const body = {
      Cmd: command,
      Tty: tty,
      AttachStdin: !detached,
      AttachStdout: !detached,
      AttachStderr: !detached,
      Privileged: flags['privileged'] === true,
      Env: several(flags, 'env').map((word) => (word.includes('=') ? word : `${word}=${process.env[word] ?? ''}`)),
      ...(flags['user'] !== undefined && { User: flags['user'] }),
      ...(flags['workdir'] !== undefined && { WorkingDir: flags['workdir'] }),
    }
    const { Id } = await engine.json<{ Id: string }>('POST', `/containers/${container.id}/exec`, body)
    if (detached) {
      await engine.json('POST', `/exec/${Id}/start`, { Detach: true })
      return 0
    }
    const stream = await engine.attach(`/exec/${Id}/start`, { Detach: false, Tty: tty })
    await interact(stream, {
      tty,
      stdin: true,
      resize: (rows, columns) => engine.json('POST', `/exec/${Id}/resize?h=${rows}&w=${columns}`),
    })
    return (await engine.json<{ ExitCode: number }>('GET', `/exec/${Id}/json`)).ExitCode
  },
}
