/**
 * `docker logs`.
 */

import { UsageError } from '../command-line/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { copyOutput } from './copy-output.ts'

export const logs: DockerCommand = {
  words: 'CONTAINER',
  summary: 'Show what a container has printed.',
  flags: {
    follow: { type: 'boolean', short: 'f', help: 'go on as the log grows' },
    tail: { type: 'string', short: 'n', value: 'n', help: 'only the last lines' },
    timestamps: { type: 'boolean', short: 't', help: 'put its time before each line' },
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
