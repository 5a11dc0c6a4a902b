/**
 * `compose events`: what happens to the project's containers, as it happens.
 */

import { label } from '../labels.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const events: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Show events of containers as they happen.',
  worksWithoutFile: true,
  flags: { json: { type: 'boolean', help: 'one JSON object a line' } },
  async run({ engine, project, flags, args, signal }) {
    const chosen = chosenServices(project, args)
    const filters = { label: [`${label.project}=${project.name}`], type: ['container'] }
    for await (const { Action, Actor, timeNano } of await engine.subscribe(filters, signal)) {
      const service = Actor.Attributes[label.service] ?? ''
      if (!Object.hasOwn(chosen, service)) continue
      const time = new Date(timeNano / 1e6)
      // Compose's own labels are said once, as the service.
      const attributes = Object.fromEntries(
        Object.entries(Actor.Attributes).filter(([name]) => !name.startsWith('com.docker.compose.')),
      )
      const event = { time: time.toISOString(), type: 'container', service, id: Actor.ID, action: Action, attributes }
      console.log(flags['json'] ? JSON.stringify(event) : textOf(event))
    }
    return 0
  },
}

function textOf(event: { time: string; action: string; id: string; attributes: Record<string, string> }): string {
  const attributes = Object.entries(event.attributes).map(([name, value]) => `${name}=${value}`)
  return `${event.time.replace('T', ' ').replace('Z', '')} container ${event.action} ${event.id} (${attributes.join(', ')})`
}
