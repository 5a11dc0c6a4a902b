// Which engine the small clients talk to: the one in DOCKER_HOST, or the default cluster's.

import { stateOf, UsageError } from '../commands/command.ts'

export function socketOf(): string {
  const host = process.env['DOCKER_HOST']
  if (!host) return stateOf({}).dockerSocket
  if (!host.startsWith('unix://'))
    throw new UsageError(`DOCKER_HOST is ${host}; this small docker speaks only unix sockets`)
  return host.slice('unix://'.length)
}
