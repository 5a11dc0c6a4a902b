/**
 * The server's side of leaving HTTP. A request with an Upgrade header is routed like any other: the same hooks guard,
 * authenticate and authorize it, the same error handler refuses it. Its handler takes the connection when it is ready
 * to write the 101 itself.
 */

import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface Upgrade {
  socket: Duplex
  /**
   * What came together with the headers: the request's body if it has one, else the first bytes of the new protocol.
   */
  head: Buffer
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/** The raw connection of a request that wants to leave HTTP. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request)
}

/** Calls back when the connection is free for the answer to an upgrade; cuts it if that would be out of turn. */
export function whenAnswered(earlier: ServerResponse | undefined, socket: Socket, go: () => void): void {
  // Node has taken its own listeners away, and an error that nobody hears ends the process.
  socket.on('error', () => socket.destroy())
  // "Finished" is true a little before node lets go of the connection.
  if (!earlier || (earlier.writableFinished && !earlier.socket)) return go()
  // Whoever asks to leave HTTP before an earlier request is answered loses both: node no longer drives that answer.
  if (!earlier.writableEnded) return void socket.destroy()
  // A quick client has read the answer to its last request before node has heard that it is written.
  earlier.once('finish', () => {
    socket.setTimeout(0) // node began to count the idle time of a connection that it thinks it still has
    if (socket.writable) go()
  })
}

/** A response for node's `upgrade` event, so that a refusal is answered like any other. */
export function responseOfUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): ServerResponse {
  upgrades.set(request, { socket, head })
  const response = new ServerResponse(request)
  // No parser reads the connection any more, so it is good for one answer.
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => socket.end())
  return response
}

/**
 * Takes the connection away from HTTP: whatever is written to it from now on is the handler's own, its answer to the
 * handshake first. Bytes that the client has sent already are read from it first.
 */
export function takeConnection(request: FastifyRequest, reply: FastifyReply): Duplex {
  reply.hijack()
  const upgrade = upgrades.get(request.raw)
  const { socket } = request.raw
  reply.raw.detachSocket(socket)
  // Without an upgrade node's parser reads on, takes what follows for a request, and closes our side when the client
  // closes its own.
  if (!upgrade) for (const event of ['data', 'end']) socket.removeAllListeners(event)
  // Node's server, the hooks, the handler and its pipes all want to know when it closes.
  socket.setMaxListeners(0)
  if (upgrade && upgrade.head.length > 0) {
    upgrade.socket.unshift(upgrade.head)
    upgrade.head = Buffer.alloc(0)
  }
  return upgrade?.socket ?? socket
}
