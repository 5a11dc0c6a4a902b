/**
 * `compose logs`.
 */

import { listContainers } from '../containers.ts'
import { followProject, LogPrinter, parseMoment } from '../log-stream.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const logs: ComposeVerb = {
  usage: 'logs [-f] [-n N] [-t] [--since TIME] [--until TIME] [--no-log-prefix] [SERVICE…]',
  worksWithoutFile: true,
  flags: {
    follow: { type: 'boolean', short: 'f' },
    tail: { type: 'string', short: 'n' },
    timestamps: { type: 'boolean', short: 't' },
    since: { type: 'string' },
    until: { type: 'string' },
    'no-color': { type: 'boolean' },
    'no-log-prefix': { type: 'boolean' },
  },
  async run(context) {
    const { engine, project, clock, flags, args } = context
    const chosen = chosenServices(project, args)
    const isShown = ({ service }: { service: string }) => Object.hasOwn(chosen, service)
    const containers = (await listContainers(engine, project.name)).filter(isShown)
    const moment = (name: string) =>
      flags[name] === undefined ? undefined : parseMoment(String(flags[name]), clock.now())
    const printer = new LogPrinter(
      {
        tail: String(flags['tail'] ?? 'all'),
        timestamps: flags['timestamps'] === true,
        prefix: !flags['no-log-prefix'],
        since: moment('since'),
        until: moment('until'),
      },
      containers,
    )
    if (flags['follow']) await followProject(context, printer, { isShown, since: 0 })
    else for (const container of containers) await printer.print(context, container)
    return 0
  },
}
