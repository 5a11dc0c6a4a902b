// Port forwarding over WebSocket channels (v4.channel.k8s.io): for the n-th port, channel 2n carries bytes both ways
// and 2n+1 carries errors; each channel opens with its port number in two bytes, little endian.
//
// kubectl itself tunnels SPDY through the WebSocket instead; that is unpacked before it comes here or not at all.
// A pod's ports are reached at the pod's own address. (Upstream goes through the pod's loopback interface, so that it
// also reaches what listens on 127.0.0.1 only.)

import { connect, type Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { frame } from './channels.ts'

export function servePortForward(client: WebSocket, podIP: string, ports: readonly number[]): void {
  const sockets = ports.map((port, index) => open(client, podIP, port, index * 2))
  client.on('message', (message: Buffer) => {
    const [number = 0] = message
    const socket = number % 2 === 0 ? sockets[number / 2] : undefined
    if (socket?.writable) socket.write(message.subarray(1))
  })
  client.once('close', () => {
    for (const socket of sockets) socket.destroy()
  })
}

function open(client: WebSocket, host: string, port: number, dataChannel: number): Socket {
  const header = Buffer.alloc(2)
  header.writeUInt16LE(port)
  client.send(frame(dataChannel, header))
  client.send(frame(dataChannel + 1, header))
  const socket = connect({ host, port })
  socket.on('data', (data) => {
    if (client.readyState !== client.OPEN) return
    socket.pause()
    client.send(frame(dataChannel, data), () => socket.resume())
  })
  socket.on('error', (error) => {
    const text = `an error occurred forwarding ${port}: error forwarding port ${port} to pod: ${error.message}`
    if (client.readyState === client.OPEN) client.send(frame(dataChannel + 1, Buffer.from(text)))
  })
  socket.on('close', () => client.close(1000))
  return socket
}

/** `?ports=80&ports=81` or `?ports=80,81`. */
export function portsOf(query: URLSearchParams): number[] {
  return query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0 && port < 65_536)
}
