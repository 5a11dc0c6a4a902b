// `compose exec`: a command in a running container of a service, without a terminal.

import { UsageError } from '../../commands/command.ts'
import { copyOutput } from '../../docker/stdcopy.ts'
import { listContainers } from '../containers.ts'
import { ComposeError } from '../load/normalize.ts'
import { numberOf } from '../plan.ts'
import { type ComposeVerb, serviceNamed } from '../verb.ts'

export const exec: ComposeVerb = {
  usage: 'exec [-d] [-T] [-e K=V] [-u USER] [-w DIR] [--index N] SERVICE COMMAND [ARG…]',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd' },
    'no-TTY': { type: 'boolean', short: 'T' },
    env: { type: 'string', short: 'e', multiple: true },
    user: { type: 'string', short: 'u' },
    workdir: { type: 'string', short: 'w' },
    index: { type: 'string' },
  },
  async run({ engine, project, flags, args: [name, ...command] }) {
    if (!name || command.length === 0) throw new UsageError('name a service and a command')
    serviceNamed(project.services, name)
    const index = Number(flags['index'] ?? 1)
    const running = (await listContainers(engine, project.name)).filter(
      ({ service, state }) => service === name && state === 'running',
    )
    const container =
      flags['index'] === undefined ? running[0] : running.find((candidate) => numberOf(candidate) === index)
    if (!container) throw new ComposeError(`service "${name}" is not running`)
    const detached = flags['detach'] === true
    const body = {
      Cmd: command,
      AttachStdout: !detached,
      AttachStderr: !detached,
      ...(flags['env'] !== undefined && { Env: flags['env'] }),
      ...(flags['user'] !== undefined && { User: flags['user'] }),
      ...(flags['workdir'] !== undefined && { WorkingDir: flags['workdir'] }),
    }
    const { Id } = await engine.json<{ Id: string }>('POST', `/containers/${container.id}/exec`, body)
    const start = JSON.stringify({ Detach: detached, Tty: false })
    const output = await engine.request('POST', `/exec/${Id}/start`, start, 'application/json')
    if (detached) return 0
    await copyOutput(output.body)
    return (await engine.json<{ ExitCode: number }>('GET', `/exec/${Id}/json`)).ExitCode
  },
}
