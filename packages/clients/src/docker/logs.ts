/**
 * `docker logs`.
 */

import { UsageError } from '../command-line/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { copyOutput } from './copy-output.ts'

export const logs: DockerCommand = {
  usage: 'logs [-f] [-n N] [-t] CONTAINER',
  flags: {
    follow: { type: 'boolean', short: 'f' },
    tail: { type: 'string', short: 'n' },
    timestamps: { type: 'boolean', short: 't' },
  },
  async run({ engine, flags, args: [container] }) {
    if (!container) throw new UsageError('name a container')
    const query = new URLSearchParams({ stdout: '1', stderr: '1', tail: String(flags['tail'] ?? 'all') })
    if (flags['follow']) query.set('follow', '1')
    if (flags['timestamps']) query.set('timestamps', '1')
    const path = `/containers/${encodeURIComponent(container)}`
    const { Config } = await engine.json<{ Config: { Tty: boolean } }>('GET', `${path}/json`)
    const { body } = await engine.request('GET', `${path}/logs?${query}`)
    // A terminal's output is not framed.
    if (Config.Tty) for await (const chunk of body) process.stdout.write(chunk as Buffer)
    else await copyOutput(body)
    return 0
  },
}
