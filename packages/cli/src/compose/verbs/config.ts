// `compose config`: the project as it was understood: merged, interpolated, written out long.

import { stringify } from 'yaml'
import { UsageError } from '../../commands/command.ts'
import { imageName } from '../spec.ts'
import type { ComposeVerb } from '../verb.ts'

export const config: ComposeVerb = {
  usage: 'config [-q] [--services|--volumes|--networks|--images] [--format yaml|json]',
  flags: {
    quiet: { type: 'boolean', short: 'q' },
    services: { type: 'boolean' },
    volumes: { type: 'boolean' },
    networks: { type: 'boolean' },
    images: { type: 'boolean' },
    format: { type: 'string' },
  },
  run({ project, flags }) {
    const { services, volumes, networks } = project
    const lists: Record<string, string[]> = {
      services: Object.keys(services),
      volumes: Object.keys(volumes),
      networks: Object.keys(networks),
      images: Object.values(services).map((service) => imageName(project, service)),
    }
    const asked = Object.entries(lists).filter(([name]) => flags[name])
    const format = flags['format'] ?? 'yaml'
    if (format !== 'yaml' && format !== 'json') throw new UsageError('--format takes yaml or json')
    if (flags['quiet']) return Promise.resolve(0)
    if (asked.length > 0) for (const name of asked.flatMap(([, names]) => names)) console.log(name)
    else {
      const { directory: _directory, files: _files, ...shown } = withoutEmpty(project) as Record<string, unknown>
      console.log(format === 'json' ? JSON.stringify(shown, null, 2) : stringify(shown, { lineWidth: 0 }).trimEnd())
    }
    return Promise.resolve(0)
  },
}

/** What nobody wrote is not shown: empty lists and mappings go. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([key, child]) => [key, withoutEmpty(child)] as const)
  return Object.fromEntries(entries.filter(([, child]) => !isEmpty(child)))
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}
