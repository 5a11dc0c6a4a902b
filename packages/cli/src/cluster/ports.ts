// Finding a free port for the API server: the well-known one when it is free, so that a lone cluster looks as people
// expect, and otherwise one the kernel picks. It is then kept in cluster.json, because kubeconfig files point at it.

import { createServer } from 'node:net'

const wellKnown = 6443

export async function freeApiPort(): Promise<number> {
  return (await tryPort(wellKnown)) ?? (await tryPort(0)) ?? wellKnown
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
