/**
 * Port forwarding. Each connection that somebody opens to the forwarded port becomes a connection to the pod.
 *
 *   SPDY (kubectl), raw or tunnelled through a WebSocket: two streams for each connection, "error" and "data", which
 *     belong together by their "requestid"
 *   WebSocket channels (other clients; see channels.ts): for the n-th port, channel 2n carries bytes both ways and
 *     2n+1 errors; each opens with its port number in two bytes, little endian, and serves one connection
 *
 * A pod's ports are reached at the pod's own address. (Upstream goes through the pod's loopback interface, so that it
 * also reaches what listens on 127.0.0.1 only.)
 */

import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { frame, readFrame } from './channels.ts'
import { SpdySession, type SpdyStream } from './spdy/session.ts'
import type { NegotiatedWebSocket } from './upgrade.ts'

export const spdyTunnelProtocol = 'SPDY/3.1+portforward.k8s.io'

/** Resolves when the client has gone. */
export async function serveSpdyPortForward(connection: Duplex, podIP: string): Promise<void> {
  const errors = new Map<string, SpdyStream>()
  const session = new SpdySession(connection, (stream) => {
    const { streamtype, requestid = '', port } = stream.headers
    if (streamtype === 'error') errors.set(requestid, stream)
    if (streamtype !== 'data') return
    const error = errors.get(requestid)
    errors.delete(requestid)
    join(stream, error, podIP, Number(port))
  })
  await session.run()
}

function join(data: SpdyStream, error: SpdyStream | undefined, host: string, port: number): void {
  const socket = connect({ host, port, allowHalfOpen: true })
  data.pipe(socket).pipe(data)
  socket.once('error', (reason) => {
    error?.end(failureText(port, reason))
    data.end()
  })
  socket.once('close', () => error?.end())
  data.once('close', () => socket.destroy())
}

export function serveChannelPortForward(client: NegotiatedWebSocket, podIP: string, ports: readonly number[]): void {
  if (ports.length === 0) return client.socket.close(1008, 'query parameter "ports" is required')
  const sockets = ports.map((port, index) => open(client, podIP, port, index * 2))
  client.socket.on('message', (message: Buffer) => {
    const { number = 0, data } = readFrame(message, client.protocol)
    const socket = number % 2 === 0 ? sockets[number / 2] : undefined
    if (socket?.writable) socket.write(data)
  })
  client.socket.once('close', () => {
    for (const socket of sockets) socket.destroy()
  })
}

function open(
  { socket: client, protocol }: NegotiatedWebSocket,
  host: string,
  port: number,
  dataChannel: number,
): Socket {
  const header = Buffer.alloc(2)
  header.writeUInt16LE(port)
  client.send(frame(dataChannel, header, protocol))
  client.send(frame(dataChannel + 1, header, protocol))
  const socket = connect({ host, port })
  socket.on('data', (data) => {
    if (client.readyState !== client.OPEN) return
    socket.pause()
    client.send(frame(dataChannel, data, protocol), () => socket.resume())
  })
  socket.on('error', (error) => {
    if (client.readyState !== client.OPEN) return
    client.send(frame(dataChannel + 1, Buffer.from(failureText(port, error)), protocol))
  })
  socket.on('close', () => client.close(1000))
  return socket
}

function failureText(port: number, error: Error): string {
  return `an error occurred forwarding ${port}: error forwarding port ${port} to pod: ${error.message}`
}
