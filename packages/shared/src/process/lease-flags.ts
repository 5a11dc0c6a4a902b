/**
 * The flags of a process that works only while it holds a Lease (client/leader-election.ts), named as upstream's are.
 */

import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import type { FlagSpec } from './flags.ts'

export const leaseFlags = {
  'leader-elect': { type: 'boolean', help: 'work only while holding a lease, so that several of us may run' },
  'leader-elect-identity': {
    type: 'string',
    help: 'our name in the lease; whoever never runs two of us can give the same name again, and need not wait then',
  },
} as const satisfies FlagSpec

/** Upstream's form, which no two processes share, unless a name was given. */
export function leaseIdentity(given: string | undefined): string {
  return given ?? `${hostname()}_${randomUUID()}`
}
