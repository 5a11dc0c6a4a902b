/**
 * `compose config`: the project as it was understood: merged, interpolated, written out long.
 */

import { stringify } from 'yaml'
import { UsageError } from '@dinghy/clients/command-line/command'
import { imageNames } from '../images.ts'
import { renderProject } from '../render.ts'
import { configHash } from '../spec.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const config: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Print the project as one file.',
  flags: {
    quiet: { type: 'boolean', short: 'q', help: 'only check the files' },
    services: { type: 'boolean', help: 'print only the names of services' },
    volumes: { type: 'boolean', help: 'print only the names of volumes' },
    networks: { type: 'boolean', help: 'print only the names of networks' },
    images: { type: 'boolean', help: 'print only the names of images' },
    profiles: { type: 'boolean', help: 'print only the names of profiles' },
    hash: { type: 'string', value: 'service', help: "print the hash of a service's definition; * means all" },
    format: { type: 'string', value: 'format', help: 'yaml or json' },
  },
  run({ project, flags, args }) {
    const services = chosenServices(project, args)
    const { volumes, networks } = project
    const hashed = flags['hash'] === '*' ? [] : String(flags['hash'] ?? '').split(',')
    const lists: Record<string, () => string[]> = {
      services: () => Object.keys(services),
      volumes: () => Object.keys(volumes),
      networks: () => Object.keys(networks),
      images: () => imageNames(project),
      profiles: () => [...new Set(Object.values(services).flatMap(({ profiles }) => profiles))].toSorted(),
      hash: () =>
        Object.values(chosenServices(project, hashed)).map(
          (service) => `${service.name} ${configHash(project, service)}`,
        ),
    }
    const format = flags['format'] ?? 'yaml'
    if (format !== 'yaml' && format !== 'json') throw new UsageError('--format takes yaml or json')
    const [asked] = Object.entries(lists).filter(([name]) => flags[name] !== undefined)
    if (asked) for (const line of asked[1]()) console.log(line)
    else if (!flags['quiet']) {
      const shown = renderProject({ ...project, services })
      console.log(format === 'json' ? JSON.stringify(shown, null, 2) : stringify(shown, { lineWidth: 0 }).trimEnd())
    }
    return Promise.resolve(0)
  },
}
