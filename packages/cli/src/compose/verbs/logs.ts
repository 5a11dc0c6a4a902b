// `compose logs`.

import { listContainers } from '../containers.ts'
import { followLogs } from '../log-stream.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const logs: ComposeVerb = {
  usage: 'logs [-f] [--tail N] [-t] [--since TIME] [--no-log-prefix] [SERVICE…]',
  flags: {
    follow: { type: 'boolean', short: 'f' },
    tail: { type: 'string', short: 'n' },
    timestamps: { type: 'boolean', short: 't' },
    since: { type: 'string' },
    'no-log-prefix': { type: 'boolean' },
  },
  async run({ engine, project, flags, args }) {
    const names = new Set(chosenServices(project, args).map(({ name }) => name))
    const containers = (await listContainers(engine, project.name)).filter(({ service }) => names.has(service))
    const options = {
      follow: flags['follow'] === true,
      tail: String(flags['tail'] ?? 'all'),
      timestamps: flags['timestamps'] === true,
      ...(flags['since'] !== undefined && { since: String(flags['since']) }),
    }
    process.once('SIGINT', () => process.exit(130))
    await followLogs(engine, containers, options, flags['no-log-prefix'] !== true)
    return 0
  },
}
