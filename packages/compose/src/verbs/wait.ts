/**
 * `compose wait`: until the containers of the named services have ended; the exit code is that of the last.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { ComposeError } from '../compose-error.ts'
import { listContainers } from '../containers.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'
import { down } from './down.ts'

export const wait: ComposeVerb = {
  words: 'SERVICE…',
  summary: 'Wait until containers end.',
  worksWithoutFile: true,
  flags: { 'down-project': { type: 'boolean', help: 'take the project down when the first ends' } },
  async run(context) {
    const { engine, project, flags, args } = context
    if (args.length === 0) throw new UsageError('name the services to wait for')
    const chosen = chosenServices(project, args)
    const containers = (await listContainers(engine, project.name)).filter(({ service }) => chosen[service])
    if (containers.length === 0) throw new ComposeError(`no containers for project "${project.name}"`)
    let code = 0
    const ends = containers.map(async ({ id }) => {
      const { StatusCode } = await engine.json<{ StatusCode: number }>('POST', `/containers/${id}/wait`, {
        lastsMs: Infinity,
      })
      console.log(`container "${id}" exited with status code ${StatusCode}`)
      code = StatusCode
    })
    // The project is to go down as soon as one of them has.
    await (flags['down-project'] ? Promise.race(ends) : Promise.all(ends))
    if (flags['down-project']) await down.run({ ...context, args: [], flags: {} })
    return code
  },
}
