/**
 * Where a server listens, and the sockets that it opens there.
 *
 * A unix socket is for its owner alone unless a mode is given; one that nobody serves any more is replaced, one that
 * somebody serves is refused with EADDRINUSE.
 */

import { once } from 'node:events'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { connect, type AddressInfo, type Server } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

/** `requestCert`, `rejectUnauthorized`: whether clients may, or must, show a certificate signed by `ca`. */
export interface ServerTls extends SecureContextOptions {
  requestCert?: boolean
  rejectUnauthorized?: boolean
}

export type ListenAddress =
  | { host: string; port: number; tls?: ServerTls | undefined }
  | { socketPath: string; mode?: number; tls?: ServerTls | undefined }

/** Where a server listens in the end: port 0 has become a port. */
export interface Listening {
  /** "http://127.0.0.1:6443", "https://[::1]:6443"; "unix:///run/docker.sock" */
  url: string
  /** Empty for a unix socket. */
  host: string
  port: number
}

/** Reads "host:port" and "[::1]:port". */
export function parseHostPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

/** The same, and "unix:FILE". */
export function parseListenAddress(address: string): ListenAddress {
  return address.startsWith('unix:') ? { socketPath: address.slice('unix:'.length) } : parseHostPort(address)
}

/** Rejects with node's error (EADDRINUSE, EACCES, …). */
export async function listenOn(server: Server, address: ListenAddress): Promise<Listening> {
  if ('socketPath' in address) return await listenOnSocket(server, address)
  server.listen({ host: address.host, port: address.port })
  await once(server, 'listening')
  const { address: host, port, family } = server.address() as AddressInfo
  const scheme = address.tls ? 'https' : 'http'
  return { url: `${scheme}://${family === 'IPv6' ? `[${host}]` : host}:${port}`, host, port }
}

async function listenOnSocket(
  server: Server,
  { socketPath, mode = 0o600 }: { socketPath: string; mode?: number },
): Promise<Listening> {
  if (existsSync(socketPath)) {
    if (await isServed(socketPath)) {
      throw Object.assign(new Error(`${socketPath} is served by another process`), { code: 'EADDRINUSE' })
    }
    rmSync(socketPath)
  }
  // Nobody may connect between the moment in which the socket appears and the one in which it gets its mode.
  const umask = process.umask(0o777 & ~mode)
  try {
    server.listen(socketPath)
  } finally {
    process.umask(umask)
  }
  await once(server, 'listening')
  chmodSync(socketPath, mode)
  return { url: `unix://${socketPath}`, host: '', port: 0 }
}

function isServed(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socketPath)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
