/**
 * `compose exec`: a command in a running container of a service.
 */

import { several, UsageError } from '@dinghy/clients/command-line/command'
import { execIn } from '@dinghy/clients/docker/exec'
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
    const detach = flags['detach'] === true
    return execIn(engine, container.id, {
      command,
      detach,
      stdin: true,
      tty: !detach && !flags['no-TTY'] && process.stdin.isTTY && process.stdout.isTTY,
      env: several(flags, 'env'),
      user: flags['user'] as string | undefined,
      workdir: flags['workdir'] as string | undefined,
      privileged: flags['privileged'] === true,
    })
  },
}
