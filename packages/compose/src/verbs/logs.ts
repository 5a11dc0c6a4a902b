/**
 * `compose logs`.
 */

import { listContainers } from '../containers.ts'
import { followProject, LogPrinter, parseMoment } from '../log-stream.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const logs: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Show the output of services.',
  worksWithoutFile: true,
  flags: {
    follow: { type: 'boolean', short: 'f', help: 'go on as the log grows' },
    tail: { type: 'string', short: 'n', value: 'n', help: 'only the last lines' },
    timestamps: { type: 'boolean', short: 't', help: 'put its time before each line' },
    since: { type: 'string', value: 'time', help: 'only what is younger' },
    until: { type: 'string', value: 'time', help: 'only what is older' },
    'no-color': { type: 'boolean', help: 'without colours' },
    'no-log-prefix': { type: 'boolean', help: 'without the names of the containers' },
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
