/**
 * The listening socket: each HTTP request, and each wish to leave HTTP (Upgrade), becomes an Exchange in the pipeline.
 */

import type { IncomingMessage, Server } from 'node:http'
import { createServer, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Exchange } from './exchange.ts'
import type { Pipeline } from './pipeline.ts'
import { handle } from './pipeline.ts'

export interface HttpServer {
  host: string
  port: number
  url: string
  /** Ends what is being served, lasting requests included, and stops listening. */
  close(): Promise<void>
}

/** `address` is host:port; port 0 takes any. Rejects if it cannot listen. */
export async function serveHttp(address: string, pipeline: Pipeline, stopping: AbortSignal): Promise<HttpServer> {
  const server = createServer({ keepAliveTimeout: 90_000, requestTimeout: 0 })
  server.on('request', (request, response) => {
    void handle(new Exchange(request, response, stopping), pipeline)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // A response of its own, so that a refusal is answered like any other; who accepts writes to the socket instead.
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    response.once('finish', () => socket.end())
    socket.on('error', () => socket.destroy())
    void handle(new Exchange(request, response, stopping, { socket, head }), pipeline)
  })
  const { host, port } = await listen(server, address)
  return { host, port, url: `http://${host}:${port}`, close: () => close(server) }
}

function listen(server: Server, address: string): Promise<{ host: string; port: number }> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: Number(address.slice(colon + 1)) }, () => {
      server.off('error', reject)
      const { address, port } = server.address() as AddressInfo
      resolve({ host: address, port })
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeIdleConnections()
    // Streams were told to end by the signal; who does not hang up by himself is helped.
    setImmediate(() => server.closeAllConnections())
  })
}
