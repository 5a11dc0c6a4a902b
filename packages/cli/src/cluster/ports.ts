/**
 * Finding a free port for the API server: the well-known one for the first slot, so that a lone cluster looks as
 * people expect, the ones after it for the others, and what the kernel picks when that is taken. It is then kept in
 * cluster.json, because kubeconfig files point at it; a port of one's own keeps a stopped cluster's kubeconfig from
 * reaching another one.
 */

import { createServer } from 'node:net'

const wellKnown = 6443

export async function freeApiPort(slot: number): Promise<number> {
  const own = wellKnown + slot
  return (await tryPort(own)) ?? (await tryPort(0)) ?? own
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await tryPort(port)) !== undefined
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined))
    })
  })
}
