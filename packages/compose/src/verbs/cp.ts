/**
 * `compose cp`: files between this machine and a container of a service.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { CopyError, copyFrom, copyTo } from '@dinghy/clients/docker/copy'
import { ComposeError } from '../compose-error.ts'
import { listContainers, type ProjectContainer } from '../containers.ts'
import { numberOf } from '../plan.ts'
import { step } from '../progress.ts'
import { type ComposeContext, type ComposeVerb, numberFlag, serviceNamed } from '../verb.ts'

export const cp: ComposeVerb = {
  words: 'SERVICE:PATH PATH|- or PATH|- SERVICE:PATH',
  summary: 'Copy files into and out of containers.',
  takesPaths: true,
  worksWithoutFile: true,
  flags: {
    archive: { type: 'boolean', short: 'a', help: 'keep owners and modes' },
    index: { type: 'string', value: 'n', help: 'which container of the service' },
  },
  async run(context) {
    const { engine, flags, args } = context
    const [from, to] = args
    if (from === undefined || to === undefined || args.length > 2)
      throw new UsageError('name a source and a destination')
    const [source, target] = [splitService(from), splitService(to)]
    if ((source === undefined) === (target === undefined))
      throw new UsageError('one of source and destination is a SERVICE:PATH, the other is not')
    const keepOwners = flags['archive'] === true
    const [inside] = source === undefined ? [target] : [source]
    const containers = await containersOf(context, inside?.service ?? '', source !== undefined)
    for (const { id, name } of containers) {
      const copy = () =>
        source === undefined
          ? copyTo(engine, from, id, target?.path ?? '', keepOwners)
          : copyFrom(engine, id, source.path, to, keepOwners)
      const words = source === undefined ? `${from} to ${name}:${target?.path}` : `${name}:${source.path} to ${to}`
      try {
        await step(words, 'Copying', 'Copied', copy)
      } catch (error) {
        throw error instanceof CopyError ? new ComposeError(error.message) : error
      }
    }
    return 0
  },
}

/** `web:/path`; a colon after a slash or a dot belongs to a path of this machine. */
function splitService(word: string): { service: string; path: string } | undefined {
  const [, service, path] = /^([^:/.][^:/]*):(.*)$/s.exec(word) ?? []
  return service === undefined || path === undefined ? undefined : { service, path }
}

/** Files go out of one container, and into all of the service unless one is named. */
async function containersOf(
  { engine, project, flags }: ComposeContext,
  service: string,
  isOut: boolean,
): Promise<ProjectContainer[]> {
  serviceNamed(project.services, service)
  const index = numberFlag(flags, 'index')
  const all = (await listContainers(engine, project.name)).filter((container) => container.service === service)
  const chosen = index === undefined ? all : all.filter((container) => numberOf(container) === index)
  if (chosen.length === 0) throw new ComposeError(`no container found for service "${service}"`)
  return isOut ? chosen.slice(0, 1) : chosen
}
