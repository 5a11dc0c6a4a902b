/**
 * `compose exec`: a command in a running container of a service.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { several } from '@dinghy/clients/command-line/verbs'
import { execIn } from '@dinghy/clients/docker/exec'
import { ComposeError } from '../compose-error.ts'
import { listContainers } from '../containers.ts'
import { numberOf } from '../plan.ts'
import { type ComposeVerb, numberFlag, serviceNamed } from '../verb.ts'

export const exec: ComposeVerb = {
  words: 'SERVICE COMMAND [ARG…]',
  summary: 'Run a command in a container of a service.',
  stopsAtFirstWord: true,
  worksWithoutFile: true,
  flags: {
    detach: { type: 'boolean', short: 'd', help: 'do not wait for it' },
    'no-TTY': { type: 'boolean', short: 'T', help: 'without a terminal' },
    interactive: { type: 'boolean', short: 'i', help: 'keep stdin open' },
    tty: { type: 'boolean', short: 't', help: 'give it a terminal' },
    privileged: { type: 'boolean', help: 'with all rights' },
    env: { type: 'string', short: 'e', multiple: true, value: 'k=v', help: 'a variable of its environment' },
    user: { type: 'string', short: 'u', value: 'user', help: 'who runs it' },
    workdir: { type: 'string', short: 'w', value: 'dir', help: 'where it runs' },
    index: { type: 'string', value: 'n', help: 'which container of the service' },
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
