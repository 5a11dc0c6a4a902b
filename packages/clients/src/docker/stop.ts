/**
 * `docker stop` and `docker rm`.
 */

import { UsageError } from '../command-line/command.ts'
import type { DockerCommand } from './docker-command.ts'

export const stop: DockerCommand = {
  words: 'CONTAINER…',
  summary: 'Stop containers.',
  flags: { time: { type: 'string', short: 't', value: 'seconds', help: 'before it is killed' } },
  async run({ engine, flags, args }) {
    if (args.length === 0) throw new UsageError('name a container')
    const grace = flags['time'] === undefined ? '' : `?t=${Number(flags['time'])}`
    for (const name of args) {
      await engine.json('POST', `/containers/${encodeURIComponent(name)}/stop${grace}`, { lastsMs: Infinity })
      console.log(name)
    }
    return 0
  },
}

export const rm: DockerCommand = {
  words: 'CONTAINER…',
  summary: 'Remove containers.',
  flags: {
    force: { type: 'boolean', short: 'f', help: 'kill it if it runs' },
    volumes: { type: 'boolean', short: 'v', help: 'also its anonymous volumes' },
  },
  async run({ engine, flags, args }) {
    if (args.length === 0) throw new UsageError('name a container')
    const query = new URLSearchParams({
      ...(flags['force'] ? { force: '1' } : {}),
      ...(flags['volumes'] ? { v: '1' } : {}),
    })
    for (const name of args) {
      await engine.json('DELETE', `/containers/${encodeURIComponent(name)}?${query}`)
      console.log(name)
    }
    return 0
  },
}
