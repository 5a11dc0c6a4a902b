/**
 * Leaving HTTP: the handshakes after which a connection carries a WebSocket or SPDY. Until the handshake is answered,
 * an error is an answer like any other; afterwards the connection is the handler's own.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import { badRequest } from '@dinghy/shared/api/errors'
import { takeConnection, upgradeOf } from '@dinghy/shared/http/upgrade'
import type { WebSocket } from 'ws'

/** One connection may be asked for in either way; what it will carry is agreed on by `protocols`, best first. */
export type Upgraded = { kind: 'websocket'; socket: WebSocket } | { kind: 'spdy'; socket: Duplex }

/** Throws while the answer can still be an error. */
export async function acceptUpgrade(
  request: FastifyRequest,
  reply: FastifyReply,
  protocols: { websocket: readonly string[]; spdy: string },
): Promise<Upgraded> {
  if (!upgradeOf(request.raw)) throw badRequest('unable to upgrade: missing upgrade headers in request')
  if (isWebSocket(request)) {
    return { kind: 'websocket', socket: await acceptWebSocket(request, reply, protocols.websocket) }
  }
  const { upgrade } = request.headers
  if (upgrade?.toLowerCase() !== 'spdy/3.1') throw badRequest(`unable to upgrade: ${upgrade} is not spoken here`)
  return { kind: 'spdy', socket: acceptSpdy(request, reply, protocols.spdy) }
}

export function isWebSocket({ headers }: FastifyRequest): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** A client that names no protocol gets none, and speaks the oldest. */
export async function acceptWebSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  protocols: readonly string[],
): Promise<WebSocket> {
  // Loaded when first needed: most of the time nobody is watching.
  const { WebSocketServer } = await import('ws')
  const handleProtocols = (offered: Set<string>): string | false => protocols.find((one) => offered.has(one)) ?? false
  const server = new WebSocketServer({ noServer: true, handleProtocols })
  const connection = takeConnection(request, reply)
  return await new Promise((resolve, reject) => {
    // Of a handshake that is none the library itself says so to the client, and closes.
    connection.once('close', () => reject(badRequest('the handshake was not completed')))
    server.handleUpgrade(request.raw, connection, Buffer.alloc(0), (client) => {
      client.on('error', () => client.terminate())
      resolve(client)
    })
  })
}

function acceptSpdy(request: FastifyRequest, reply: FastifyReply, protocol: string): Duplex {
  const offered = [request.headers['x-stream-protocol-version'] ?? []].flat().join(',').split(/,\s*/)
  if (!offered.includes(protocol)) {
    const both = `client supports ${offered.join(', ')}, server accepts ${protocol}`
    throw badRequest(`unable to upgrade: unable to negotiate protocol: ${both}`)
  }
  const connection = takeConnection(request, reply)
  const headers = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`]
  connection.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
  return connection
}
