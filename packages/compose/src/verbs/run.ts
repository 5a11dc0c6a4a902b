/**
 * `compose run`: a one-off container of a service, with another command; its dependencies are brought up first.
 */

import { randomHex } from '@dinghy/shared/api/ids'
import { UsageError } from '@dinghy/clients/command-line/command'
import { several } from '@dinghy/clients/command-line/verbs'
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
  words: 'SERVICE [COMMAND…]',
  summary: 'Run a command in a new container of a service.',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd', help: 'run in the background' },
    rm: { type: 'boolean', help: 'remove the container when it ends' },
    build: { type: 'boolean', help: 'build the image first' },
    'no-TTY': { type: 'boolean', short: 'T', help: 'without a terminal' },
    interactive: { type: 'boolean', short: 'i', help: 'keep stdin open' },
    'no-deps': { type: 'boolean', help: 'not what it depends on' },
    env: { type: 'string', short: 'e', multiple: true, value: 'k=v', help: 'a variable of its environment' },
    volume: {
      type: 'string',
      short: 'v',
      multiple: true,
      value: 'source:target',
      help: 'a volume or a directory to mount, with :ro read-only',
    },
    label: { type: 'string', short: 'l', multiple: true, value: 'k=v', help: 'a label of the container' },
    user: { type: 'string', short: 'u', value: 'user', help: 'who runs it' },
    workdir: { type: 'string', short: 'w', value: 'dir', help: 'where it runs' },
    entrypoint: { type: 'string', value: 'program', help: "instead of the image's" },
    name: { type: 'string', value: 'name', help: 'of the container' },
    'service-ports': { type: 'boolean', short: 'P', help: 'publish the ports of the service' },
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
    const container = (flags['name'] as string | undefined) ?? `${project.name}-${name}-run-${randomHex(12)}`
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
