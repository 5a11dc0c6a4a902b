/**
 * Which slot a cluster has: a number that all its addresses come from (addresses.ts), so that clusters which run side
 * by side never give out the same ones.
 *
 * A running cluster holds its slot by listening on 127.(64+s).0.1, whatever its network mode: the kernel frees it when
 * the supervisor dies, however it dies.
 */

import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { slots } from './addresses.ts'

const holdPort = 7946

/**
 * Where a new cluster looks first: the ordinary one at the beginning, as documentation expects, any other at a place of
 * its own, so that a cluster which is stopped today rarely finds its addresses taken tomorrow.
 */
export function preferredSlot(ofItsOwn: string | undefined): number {
  return ofItsOwn === undefined ? 0 : createHash('sha256').update(ofItsOwn).digest().readUInt32BE(0) % slots
}

export interface SlotOptions {
  /** The cluster's since an earlier start: this one or none. */
  wanted?: number | undefined
  /** Where a new cluster looks first. */
  preferred: number
  /** Why a slot cannot be had, apart from other clusters that run. */
  whyTaken?: (slot: number) => string | undefined
}

/** Takes a slot until the returned server is closed. */
export async function holdSlot(options: SlotOptions): Promise<{ slot: number; hold: Server }> {
  const { wanted, preferred, whyTaken = () => undefined } = options
  const all = Array.from({ length: slots }, (_, index) => (preferred + index) % slots)
  let why: string | undefined
  for (const slot of wanted === undefined ? all : [wanted]) {
    why = whyTaken(slot)
    if (why !== undefined) continue
    const hold = await listen(`127.${64 + slot}.0.1`)
    if (hold) return { slot, hold }
  }
  if (wanted !== undefined) {
    throw new Error(
      `this cluster's addresses (slot ${wanted}) are in use${why === undefined ? ' by another running cluster; stop that one first' : `: ${why}`}`,
    )
  }
  throw new Error(
    `all ${slots} address ranges are in use${why === undefined ? ' by running clusters; stop one with `dinghy down --cluster NAME`' : `: ${why}`}`,
  )
}

function listen(host: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else if (error.code === 'EADDRNOTAVAIL') reject(new Error(`${host} cannot be bound: ${noLoopbackRange}`))
      else reject(error)
    })
    server.listen({ host, port: holdPort, exclusive: true }, () => {
      // The slot is the process': holding it is no reason to stay alive once an error has ended everything else.
      server.unref()
      resolve(server)
    })
  })
}

const noLoopbackRange =
  'this system gives programs only 127.0.0.1, not the whole 127.0.0.0/8 that pods take their addresses from'
