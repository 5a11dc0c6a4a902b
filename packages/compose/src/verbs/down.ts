/**
 * `compose down`: containers and networks go; named volumes stay unless -v says otherwise; --rmi removes images.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { isDockerStatus } from '@dinghy/shared/docker/errors'
import {
  anonymousVolumes,
  listContainers,
  type ProjectContainer,
  removeContainer,
  stopContainer,
} from '../containers.ts'
import { imageNames } from '../images.ts'
import { inReverseOrder } from '../order.ts'
import { step } from '../progress.ts'
import { imageName } from '../spec.ts'
import { chosenServices, type ComposeContext, type ComposeVerb, numberFlag } from '../verb.ts'

export const down: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Remove containers and networks.',
  worksWithoutFile: true,
  flags: {
    volumes: { type: 'boolean', short: 'v', help: 'also remove volumes' },
    timeout: { type: 'string', short: 't', value: 'seconds', help: 'what a container may take to stop' },
    rmi: { type: 'string', value: 'which', help: 'remove images, too: all or local' },
    'remove-orphans': { type: 'boolean', help: 'remove containers of services that are not in the file' },
  },
  async run(context) {
    const { engine, project, flags, args } = context
    const { rmi } = flags
    if (rmi !== undefined && rmi !== 'all' && rmi !== 'local') throw new UsageError('--rmi takes all or local')
    await removeContainers(context)
    // Some services only: what all of them share stays.
    if (args.length > 0) return 0
    const { networks, volumes, services } = project
    for (const { name, external } of Object.values(networks)) {
      if (!external) await removeIfThere(engine, `Network ${name}`, `/networks/${encodeURIComponent(name)}`)
    }
    for (const { name, external } of flags['volumes'] ? Object.values(volumes) : []) {
      if (!external) await removeIfThere(engine, `Volume ${name}`, `/volumes/${encodeURIComponent(name)}`)
    }
    const built = new Set(
      Object.values(services).flatMap((s) => (s.image === undefined ? [imageName(project, s)] : [])),
    )
    for (const name of rmi === undefined ? [] : imageNames(project)) {
      if (rmi === 'all' || built.has(name)) await removeIfThere(engine, `Image ${name}`, `/images/${name}`)
    }
    return 0
  },
}

// Whoever depends on others stops before them; one-off containers and orphans, on which nothing depends, first.
async function removeContainers({ engine, project, flags, args, signal }: ComposeContext): Promise<void> {
  const chosen = chosenServices(project, args)
  const containers = await listContainers(engine, project.name, { oneOff: true })
  const seconds = numberFlag(flags, 'timeout')
  const remove = ({ id, name }: ProjectContainer) =>
    step(`Container ${name}`, 'Stopping', 'Removed', async () => {
      const volumes = flags['volumes'] ? Object.values(await anonymousVolumes(engine, id)) : []
      await stopContainer(engine, id, seconds)
      await removeContainer(engine, id, flags['volumes'] === true)
      // One that was handed on from a replaced container has become the engine's to keep.
      for (const volume of volumes)
        if (await engine.exists(`/volumes/${volume}`)) await engine.json('DELETE', `/volumes/${volume}`)
    })
  const known = new Set([...Object.keys(project.services), ...project.disabled])
  const orphans = flags['remove-orphans'] ? containers.filter(({ service }) => !known.has(service)) : []
  const oneOffs = containers.filter(({ service, oneOff }) => oneOff && chosen[service])
  await Promise.all([...orphans, ...oneOffs].map(remove))
  await inReverseOrder(
    chosen,
    async (service) => {
      const own = containers.filter((container) => container.service === service.name && !container.oneOff)
      await Promise.all(own.map(remove))
    },
    signal,
  )
}

async function removeIfThere(engine: ComposeContext['engine'], what: string, path: string): Promise<void> {
  if (!(await engine.exists(path.startsWith('/images/') ? `${path}/json` : path))) return
  try {
    await step(what, 'Removing', 'Removed', () => engine.json('DELETE', path))
  } catch (error) {
    // Another project's containers may use it; then it is theirs as well, and stays.
    if (!isDockerStatus(error, 403, 409)) throw error
    console.error(`   ${what} stays: ${error.message}`)
  }
}
