// `compose ps`: the project's containers.

import { alignRows } from '../../kubectl/table.ts'
import { listContainers } from '../containers.ts'
import type { ComposeVerb } from '../verb.ts'

export const ps: ComposeVerb = {
  usage: 'ps [-a] [-q] [--format json] [SERVICE…]',
  flags: { all: { type: 'boolean', short: 'a' }, quiet: { type: 'boolean', short: 'q' }, format: { type: 'string' } },
  async run({ engine, project, flags, args }) {
    const containers = (await listContainers(engine, project.name)).filter(
      ({ service, state }) =>
        (args.length === 0 || args.includes(service)) && (flags['all'] === true || state === 'running'),
    )
    if (flags['quiet']) for (const { id } of containers) console.log(id)
    else if (flags['format'] === 'json') {
      for (const { id, name, service, image, state, status } of containers) {
        console.log(
          JSON.stringify({
            ID: id,
            Name: name,
            Service: service,
            Image: image,
            State: state,
            Status: status,
            Project: project.name,
          }),
        )
      }
    } else {
      const header = ['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'STATUS', 'PORTS']
      const rows = containers.map(({ name, image, command, service, status, ports }) => [
        name,
        image,
        JSON.stringify(command.length > 20 ? `${command.slice(0, 19)}\u2026` : command),
        service,
        status,
        ports
          .map(({ IP, PublicPort, PrivatePort, Type }) =>
            PublicPort === undefined
              ? `${PrivatePort}/${Type}`
              : `${IP ?? '0.0.0.0'}:${PublicPort}->${PrivatePort}/${Type}`,
          )
          .join(', '),
      ])
      console.log(alignRows([header, ...rows]))
    }
    return 0
  },
}
