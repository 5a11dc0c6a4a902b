/**
 * Leaving HTTP: the handshakes after which a connection carries a WebSocket or SPDY.
 */

import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { badRequest, toStatus } from '@dinghy/shared/api/errors'
import type { WebSocket } from 'ws'

/** One connection may be asked for in either way; what it will carry is agreed on by `protocols`, best first. */
export type Upgraded = { kind: 'websocket'; socket: WebSocket } | { kind: 'spdy'; socket: Duplex }

export async function acceptUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: { websocket: readonly string[]; spdy: string },
): Promise<Upgraded> {
  if (isWebSocket(request)) {
    return { kind: 'websocket', socket: await acceptWebSocket(request, socket, head, protocols.websocket) }
  }
  if (request.headers.upgrade?.toLowerCase() !== 'spdy/3.1')
    throw badRequest(`unable to upgrade: ${request.headers.upgrade} is not spoken here`)
  return { kind: 'spdy', socket: acceptSpdy(request, socket, head, protocols.spdy) }
}

export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

async function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): Promise<WebSocket> {
  // Loaded when first needed: most of the time nobody is watching.
  const { WebSocketServer } = await import('ws')
  const handleProtocols = (offered: Set<string>): string | false => protocols.find((one) => offered.has(one)) ?? false
  const server = new WebSocketServer({ noServer: true, handleProtocols })
  return await new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate())
      resolve(client)
    })
  })
}

function acceptSpdy(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Duplex {
  const offered = [request.headers['x-stream-protocol-version'] ?? []].flat().join(',').split(/,\s*/)
  if (!offered.includes(protocol)) {
    throw badRequest(
      `unable to upgrade: unable to negotiate protocol: client supports ${offered.join(', ')}, server accepts ${protocol}`,
    )
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  if (head.length > 0) socket.unshift(head)
  return socket
}

export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { code, message = '' } = toStatus(error)
  const length = Buffer.byteLength(message)
  const headers = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${length}\r\nConnection: close`
  socket.end(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}\r\n${headers}\r\n\r\n${message}`)
}
