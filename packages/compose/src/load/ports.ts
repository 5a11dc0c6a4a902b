/**
 * `ports`: the short form and the long one. Pure.
 */

import { ComposeError } from '../compose-error.ts'
import type { Port } from '../model.ts'
import { checkFields, isTree, numberOf, optional, words } from './tree.ts'

/** `name`, `mode` and `app_protocol` are for people and for swarms. */
const longFields = words('name mode host_ip target published protocol app_protocol')

/**
 * `8080:80/udp`, `127.0.0.1:8000-8002:80-82`, `[::1]::80`, `80`, or the long form; a range becomes one entry a port.
 */
export function parsePort(value: unknown, at: string): Port[] {
  if (isTree(value)) {
    checkFields(value, longFields, at)
    const { target, published, host_ip, protocol = 'tcp' } = value
    return [
      {
        target: numberOf(target, `${at}.target`),
        protocol: String(protocol),
        ...optional('published', published, String),
        ...optional('host_ip', host_ip, String),
      },
    ]
  }
  const text = String(value)
  const match = /^(?:(?:(\[[^\]]+\]|[^:/]+):)?([\d-]*):)?(\d+(?:-\d+)?)(?:\/(tcp|udp|sctp))?$/.exec(text)
  if (!match) throw new ComposeError(`${at}: invalid port "${text}"`)
  const [, host, published = '', target = '', protocol = 'tcp'] = match
  const inner = portRange(target)
  const outer = published === '' ? [] : portRange(published)
  if (outer.length > 0 && inner.length > 1 && outer.length !== inner.length) {
    throw new ComposeError(`${at}: invalid ranges specified for container and host Ports: ${target} and ${published}`)
  }
  return inner.map((port, i) => {
    // One inner port with an outer range: the engine picks from the range.
    const hostPort = inner.length === 1 && outer.length > 1 ? published : outer[i]
    return {
      target: port,
      protocol,
      ...optional('published', hostPort, String),
      ...optional('host_ip', host, (address) => address.replaceAll(/[[\]]/g, '')),
    }
  })
}

function portRange(text: string): number[] {
  const [first = NaN, last = first] = text.split('-').map(Number)
  if (!(first <= last && last <= 65_535)) throw new ComposeError(`invalid port range "${text}"`)
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
