/**
 * Which part of 127.0.0.0/8 a cluster has.
 *
 * The loopback network is shared by everything on this machine, so two clusters must not give out the same addresses.
 * There are 32 slots; slot s has nodes and pods in 127.(64+s).0.0/16 and Services in 127.(96+s).0.0/16. A running
 * cluster holds its slot by listening on 127.(64+s).0.1: the kernel frees it when the supervisor dies, however it dies.
 */

import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'

export const slots = 32
const holdPort = 7946

export function nodeAddress(slot: number, node: number): string {
  return `127.${64 + slot}.${node}.1`
}
/** Where its nodes and pods are. */
export function nodeRange(slot: number): string {
  return `127.${64 + slot}.0.0/16`
}
export function podCidr(slot: number, node: number): string {
  return `127.${64 + slot}.${node}.0/24`
}
export function serviceCidr(slot: number): string {
  return `127.${96 + slot}.0.0/16`
}

/** Of the Service "kube-dns": the tenth of the range, as kubeadm has it. */
export function dnsServiceAddress(slot: number): string {
  return `127.${96 + slot}.0.10`
}

/** Where the DNS server itself listens, behind that Service: host:port. */
export function dnsListenAddress(slot: number): string {
  return `127.${64 + slot}.0.53:5353`
}

/** Where Ingresses and Gateways are served. */
export function ingressAddress(slot: number): string {
  return `127.${64 + slot}.0.80`
}

/** The same for the person at this machine: host:port for port 80 and for port 443. */
export function ingressOnLocalhost(slot: number): { http: string; https: string } {
  return { http: `127.0.0.1:${8080 + slot}`, https: `127.0.0.1:${8443 + slot}` }
}

/** Of the Service "kubernetes": the first of the range, as upstream has it. */
export function serviceAddress(slot: number): string {
  return `127.${96 + slot}.0.1`
}

/**
 * Where a new cluster looks first: the ordinary one at the beginning, as documentation expects, any other at a place of
 * its own, so that a cluster which is stopped today rarely finds its addresses taken tomorrow.
 */
export function preferredSlot(ofItsOwn: string | undefined): number {
  return ofItsOwn === undefined ? 0 : createHash('sha256').update(ofItsOwn).digest().readUInt32BE(0) % slots
}

/**
 * Takes a slot until the returned server is closed: the `wanted` one, or else the first that is free from `preferred`
 * on.
 */
export async function holdSlot(wanted: number | undefined, preferred: number): Promise<{ slot: number; hold: Server }> {
  const all = Array.from({ length: slots }, (_, index) => (preferred + index) % slots)
  const candidates = wanted === undefined ? all : [wanted]
  for (const slot of candidates) {
    const hold = await listen(`127.${64 + slot}.0.1`)
    if (hold) return { slot, hold }
  }
  throw new Error(
    wanted === undefined
      ? `all ${slots} address ranges are in use by running clusters; stop one with \`dinghy down --cluster NAME\``
      : `this cluster's addresses (127.${64 + wanted}.0.0/16) are in use by another running cluster; stop that one first`,
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
