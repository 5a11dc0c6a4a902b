/**
 * `kubectl scale`: a merge patch of the scale subresource, which every scalable kind has.
 */

import { UsageError } from '../command-line/command.ts'
import type { Verb } from './verb.ts'
import { label, oneTarget } from './targets.ts'

export const scale: Verb = {
  words: 'KIND/NAME --replicas N',
  summary: 'Change how many replicas an object has.',
  flags: { replicas: { type: 'string', value: 'n', help: 'how many' } },
  async run({ client, namespace, flags, args, signal }) {
    const replicas = Number(flags['replicas'])
    if (flags['replicas'] === undefined || !Number.isInteger(replicas) || replicas < 0) {
      throw new UsageError('--replicas takes a number from 0 on')
    }
    const target = await oneTarget(client, args)
    const reference = { namespace, name: target.name }
    await client.patch(
      target.resource,
      reference,
      { type: 'merge', body: { spec: { replicas } } },
      { subresource: 'scale' },
      signal,
    )
    console.log(`${label(target)} scaled`)
    return 0
  },
}
