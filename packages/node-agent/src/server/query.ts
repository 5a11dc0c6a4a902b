/**
 * What the query of a kubelet's request says, decided in one place as upstream's conversion functions do. Pure.
 */

import type { AttachStreams } from '../docker/docker-client.ts'

/**
 * Only "false" (in any letters), "0" and absence are false: Python's `True`, `yes` and nothing at all are true.
 * Follows upstream's runtime.Convert_Slice_string_To_bool. Of several names the first that is there counts.
 */
export function flagOf(query: URLSearchParams, ...names: string[]): boolean {
  const value = names.map((name) => query.get(name)).find((text) => text !== null)
  return value !== undefined && value !== null && !['false', '0'].includes(value.toLowerCase())
}

/** The API server's names for the streams, and the kubelet's own older ones. */
export function streamsOf(query: URLSearchParams): AttachStreams {
  const tty = flagOf(query, 'tty')
  return {
    stdin: flagOf(query, 'stdin', 'input'),
    stdout: flagOf(query, 'stdout', 'output'),
    // A terminal has one stream: what a program says to stderr comes out of stdout.
    stderr: !tty && flagOf(query, 'stderr', 'error'),
    tty,
  }
}

/** `?ports=80&ports=81` or `?ports=80,81`. */
export function portsOf(query: URLSearchParams): number[] {
  return query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0 && port < 65_536)
}
