/** Two connections that from now on talk to each other: after an upgrade. */

import type { Duplex } from 'node:stream'

/** Whatever one side sends the other gets; when one ends, so does the other's half; when one breaks, both do. */
export function joinDuplexes(a: Duplex, b: Duplex): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy())
    one.once('close', () => other.destroy())
    one.pipe(other)
  }
}
