/**
 * `compose run`: a one-off container of a service, with another command; its dependencies are brought up first.
 */

import { randomBytes } from 'node:crypto'
import { several, UsageError } from '@dinghy/clients/command-line/command'
import { startInForeground } from '@dinghy/clients/docker/foreground'
import { createContainer, createContainers, startContainers } from '../converge.ts'
import { waitForDependencies } from '../dependencies.ts'
import { ensureImage } from '../images.ts'
import { parseMount } from '../load/mounts.ts'
import { withAbsolutePaths } from '../load/paths.ts'
import { listToMapping, treeOf } from '../load/tree.ts'
import { splitCommand } from '../load/units.ts'
import type { Mount, Service } from '../model.ts'
import { ensureNetworks, ensureVolumes } from '../resources.ts'
import { type ComposeContext, type ComposeVerb, serviceNamed, withDependencies } from '../verb.ts'

export const run: ComposeVerb = {
  usage:
    'run [-d] [--rm] [-T] [--no-deps] [--build] [-e K=V] [-v SOURCE:TARGET] [-u USER] [-w DIR] [-l LABEL] [--entrypoint COMMAND] [--name NAME] [-P] SERVICE [COMMAND…]',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd' },
    rm: { type: 'boolean' },
    build: { type: 'boolean' },
    'no-TTY': { type: 'boolean', short: 'T' },
    interactive: { type: 'boolean', short: 'i' },
    'no-deps': { type: 'boolean' },
    env: { type: 'string', short: 'e', multiple: true },
    volume: { type: 'string', short: 'v', multiple: true },
    label: { type: 'string', short: 'l', multiple: true },
    user: { type: 'string', short: 'u' },
    workdir: { type: 'string', short: 'w' },
    entrypoint: { type: 'string' },
    name: { type: 'string' },
    'service-ports': { type: 'boolean', short: 'P' },
  },
  async run(context) {
    const { engine, project, flags, args } = context
    const [name, ...command] = args
    if (!name) throw new UsageError('name a service')
    const service = serviceNamed(project.services, name)
    if (!flags['no-deps']) await startDependencies(context, service)
    const imageId = await ensureImage(context, service, { build: flags['build'] === true })
    await ensureNetworks(context, { [name]: service })
    await ensureVolumes(context, { [name]: service })
    const detached = flags['detach'] === true
    const tty = !detached && !flags['no-TTY'] && process.stdin.isTTY && process.stdout.isTTY
    const container =
      (flags['name'] as string | undefined) ?? `${project.name}-${name}-run-${randomBytes(6).toString('hex')}`
    const remove = flags['rm'] === true
    const id = await createContainer(context, service, container, {
      number: 1,
      imageId,
      oneOff: {
        tty,
        stdin: !detached,
        remove,
        publish: flags['service-ports'] === true,
        environment: environmentOf(several(flags, 'env')),
        labels: Object.fromEntries(
          Object.entries(listToMapping(several(flags, 'label'))).map(([key, value]) => [key, value ?? '']),
        ),
        volumes: several(flags, 'volume').map(mountOf),
        ...(command.length > 0 ? { command } : {}),
        ...(flags['entrypoint'] !== undefined ? { entrypoint: splitCommand(String(flags['entrypoint'])) } : {}),
        ...(flags['user'] !== undefined ? { user: String(flags['user']) } : {}),
        ...(flags['workdir'] !== undefined ? { workdir: String(flags['workdir']) } : {}),
      },
    })
    if (detached) {
      await engine.json('POST', `/containers/${id}/start`)
      console.log(container)
      return 0
    }
    return startInForeground(engine, id, { tty, stdin: true, remove })
  },
}

async function startDependencies(context: ComposeContext, service: Service): Promise<void> {
  const { [service.name]: _self, ...dependencies } = withDependencies(context.project, [service.name])
  await createContainers(context, dependencies, {})
  await startContainers(context, dependencies)
  await waitForDependencies(context, service)
}

function environmentOf(words: string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(listToMapping(words)).map(([name, value]) => [name, value ?? process.env[name] ?? '']),
  )
}

function mountOf(text: string): Mount {
  const tree = withAbsolutePaths({ services: { run: { volumes: [text] } } }, process.cwd(), process.env['HOME'])
  const { volumes } = treeOf(treeOf(tree['services'], 'services')['run'], 'run')
  return parseMount((volumes as unknown[])[0], '--volume')
}
