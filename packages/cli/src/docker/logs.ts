// `docker logs`.

import { UsageError } from '../commands/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { copyOutput } from './stdcopy.ts'

export const logs: DockerCommand = {
  usage: 'logs [-f] [--tail N] [-t] CONTAINER',
  flags: {
    follow: { type: 'boolean', short: 'f' },
    tail: { type: 'string' },
    timestamps: { type: 'boolean', short: 't' },
  },
  async run({ engine, flags, args: [container] }) {
    if (!container) throw new UsageError('name a container')
    const query = new URLSearchParams({ stdout: '1', stderr: '1', tail: String(flags['tail'] ?? 'all') })
    if (flags['follow']) query.set('follow', '1')
    if (flags['timestamps']) query.set('timestamps', '1')
    const { body } = await engine.request('GET', `/containers/${encodeURIComponent(container)}/logs?${query}`)
    await copyOutput(body)
    return 0
  },
}
