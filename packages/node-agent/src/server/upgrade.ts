/**
 * Leaving HTTP: the handshakes after which a connection carries a WebSocket or SPDY. Until the handshake is answered,
 * an error is an answer like any other; afterwards the connection is the handler's own.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import { badRequest } from '@dinghy/shared/api/errors'
import { HttpError } from '@dinghy/shared/http/http-error'
import { takeConnection, upgradeOf } from '@dinghy/shared/http/upgrade'
import type { WebSocket } from 'ws'

/** One connection may be asked for in either way; what it will carry is agreed on by `protocols`, best first. */
export type Upgraded = ({ kind: 'websocket' } & NegotiatedWebSocket) | { kind: 'spdy'; socket: Duplex }

export interface NegotiatedWebSocket {
  socket: WebSocket
  /** Empty for a client that named none: it speaks the oldest. */
  protocol: string
}

/** Throws while the answer can still be an error. */
export async function acceptUpgrade(
  request: FastifyRequest,
  reply: FastifyReply,
  protocols: { websocket: readonly string[]; spdy: string },
): Promise<Upgraded> {
  if (!upgradeOf(request.raw)) throw badRequest('unable to upgrade: missing upgrade headers in request')
  if (isWebSocket(request)) {
    return { kind: 'websocket', ...(await acceptWebSocket(request, reply, protocols.websocket)) }
  }
  const { upgrade } = request.headers
  if (upgrade?.toLowerCase() !== 'spdy/3.1') throw badRequest(`unable to upgrade: ${upgrade} is not spoken here`)
  return { kind: 'spdy', socket: acceptSpdy(request, reply, protocols.spdy) }
}

export function isWebSocket({ headers }: FastifyRequest): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/**
 * The protocol is negotiated here and not by the library: that takes the slash in what kubectl offers
 * ("SPDY/3.1+portforward.k8s.io") for a broken header. A client that offers only others is refused, as upstream does.
 */
export async function acceptWebSocket(
  request: FastifyRequest,
  reply: FastifyReply,
  protocols: readonly string[],
): Promise<NegotiatedWebSocket> {
  const offered = listOf(request.headers['sec-websocket-protocol'])
  const protocol = protocols.find((one) => offered.includes(one)) ?? ''
  if (protocol === '' && offered.length > 0) {
    const both = `${offered.join(', ')}; supports ${protocols.join(', ')}`
    throw new HttpError(403, `requested protocol(s) are not supported: ${both}`)
  }
  delete request.raw.headers['sec-websocket-protocol']
  // Loaded when first needed: most of the time nobody is watching.
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ noServer: true })
  server.on('headers', (headers) => {
    if (protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${protocol}`)
  })
  const connection = takeConnection(request, reply)
  return await new Promise((resolve, reject) => {
    // Of a handshake that is none the library itself says so to the client, and closes.
    connection.once('close', () => reject(badRequest('the handshake was not completed')))
    server.handleUpgrade(request.raw, connection, Buffer.alloc(0), (socket) => {
      socket.on('error', () => socket.terminate())
      resolve({ socket, protocol })
    })
  })
}

function acceptSpdy(request: FastifyRequest, reply: FastifyReply, protocol: string): Duplex {
  const offered = listOf(request.headers['x-stream-protocol-version'])
  if (!offered.includes(protocol)) {
    const both = `client supports ${offered.join(', ')}, server accepts ${protocol}`
    throw badRequest(`unable to upgrade: unable to negotiate protocol: ${both}`)
  }
  const connection = takeConnection(request, reply)
  const headers = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`]
  connection.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
  return connection
}

function listOf(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().flatMap((text) => text.split(',').map((item) => item.trim()))
}
