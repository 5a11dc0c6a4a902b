/**
 * Leads the clients of the API server to it, where it lives in a network that they have no way into: from a port of
 * this machine to a unix socket. What they say to one another is encrypted, and stays so.
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Logger } from '@dinghy/shared/client/stderr-logger'

/** Resolves when it listens; rejects with node's error. */
export async function forwardToSocket(
  address: { host: string; port: number },
  socketPath: string,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<void> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ path: socketPath, allowHalfOpen: true })
    upstream.on('error', (error) => log.debug({ err: error }, 'the API server is not there'))
    client.on('error', (error) => log.debug({ err: error }, 'a client of the API server is gone'))
    // pipe() passes an end on, with all that came before it, but not a failure.
    client.once('close', () => void (upstream.writableEnded || upstream.destroy()))
    upstream.once('close', () => void (client.writableEnded || client.destroy()))
    client.pipe(upstream).pipe(client)
  })
  server.listen(address)
  await once(server, 'listening')
  server.unref()
  signal.addEventListener('abort', () => server.close(), { once: true })
}
