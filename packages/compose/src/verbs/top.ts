/**
 * `compose top`: the processes of each running container.
 */

import { alignRows } from '@dinghy/clients/command-line/table'
import { listContainers } from '../containers.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const top: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Show the processes of containers.',
  worksWithoutFile: true,
  async run({ engine, project, args }) {
    const chosen = chosenServices(project, args)
    const containers = (await listContainers(engine, project.name)).filter(
      ({ service, state }) => chosen[service] && state === 'running',
    )
    for (const { id, name } of containers) {
      const { Titles, Processes } = await engine.json<{ Titles: string[]; Processes: string[][] }>(
        'GET',
        `/containers/${id}/top`,
      )
      console.log(`${name}\n${alignRows([Titles, ...Processes])}\n`)
    }
    return 0
  },
}
